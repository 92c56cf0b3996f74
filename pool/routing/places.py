"""Where queued jobs stand: exactly for the first of a queue, roughly for the rest, so that a long one costs little."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from iamine.ids import AccountId, JobId, ModelId
from pool.routing.queue import FairQueue

EXACT = 100  # places that are worked out one by one
ROUGH_A_SECOND = 1000  # of those behind them, told in turns
NEWS_EVERY_S = 1.0


class Places:
    """Works out places, and remembers when who was told."""

    def __init__(self) -> None:
        self._told_at: float | None = None
        self._from: dict[ModelId, int] = {}

    def of(self, job: JobId, queue: FairQueue, turn: Callable[[AccountId], float]) -> int:
        """The job's place (1 = next); for one that is far behind, the length of the queue."""
        first = islice(queue.order(turn), EXACT)
        return next((position for position, other in enumerate(first, start=1) if other == job), len(queue))

    def news(
        self, queues: Mapping[ModelId, FairQueue], turn: Callable[[AccountId], float], now: float
    ) -> list[tuple[ModelId, JobId, int]]:
        """(model, job, place) of those who are to be told now; nobody within NEWS_EVERY_S of the last time."""
        if self._told_at is not None and now - self._told_at < NEWS_EVERY_S:
            return []
        self._told_at = now
        return [(model, job, place) for model, queue in queues.items() for job, place in self._of(model, queue, turn)]

    def _of(self, model: ModelId, queue: FairQueue, turn: Callable[[AccountId], float]) -> Iterator[tuple[JobId, int]]:
        exact = {job: place for place, job in enumerate(islice(queue.order(turn), EXACT), start=1)}
        yield from exact.items()
        start = self._from.pop(model, 0)
        rest = [(job, max(EXACT, number) + 1) for number, job in queue.arrivals(start, ROUGH_A_SECOND) if job not in exact]
        yield from rest
        if start + ROUGH_A_SECOND < len(queue):
            self._from[model] = start + ROUGH_A_SECOND
