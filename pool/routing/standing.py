"""Why a worker has no job now: told to it when that changes, and seldom, so that a volunteer is never left guessing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from iamine.ids import ModelId, WorkerId
from pool.routing.choose import NS
from pool.routing.fleet import Fleet, WorkerState
from pool.routing.index import ModelIndex, Place

LATELY_S = 60.0
ROUND_TICKS = 20  # everybody is looked at once in so many ticks: 5 s at 4 ticks a second
LEAST_A_TICK = 50
TELL_EVERY_S = 5.0  # at most, to one worker
WORTH_S = 60.0  # a deficit that moved by so much is told again

StandingReason = Literal["idle", "turn", "slow", "not_ready", "draining"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """For one model: what the worker is owed, in seconds of its own capacity, and why it has no job."""

    worker: WorkerId
    model: ModelId
    deficit_s: float
    reason: StandingReason
    text: str


def standing(state: WorkerState, place: Place, index: ModelIndex, now: float) -> Standing:
    """Why a worker without a job has none."""
    reason = _reason(state, place, index, max(state.served_at, now - LATELY_S))
    model = place.offer.model
    texts: dict[StandingReason, str] = {
        "idle": f"nobody asks for {model} now",
        "turn": f"others are owed more work for {model}: it will be this worker's turn",
        "slow": f"too slow for this tier: for {model} there were free workers whose expected wait is clearly shorter",
        "not_ready": "this worker said that its engine is not ready",
        "draining": "this worker takes no new jobs: it drains",
    }
    return Standing(
        worker=state.worker, model=model, deficit_s=round(place.deficit_ns / NS, 1), reason=reason, text=texts[reason]
    )


def _reason(state: WorkerState, place: Place, index: ModelIndex, since: float) -> StandingReason:
    if state.draining:
        return "draining"
    if place.cell is None:
        return "not_ready"
    if index.decided_at <= since:
        return "idle"
    return "turn" if place.cell.banded_at > since else "slow"


@dataclass(frozen=True, slots=True)
class _Told:
    at: float
    standings: dict[ModelId, Standing]


class Standings:
    """What was told to whom; a few workers are looked at each tick."""

    def __init__(self) -> None:
        self._told: dict[WorkerId, _Told] = {}
        self._round: Iterator[WorkerState] = iter(())

    def news(self, fleet: Fleet, now: float) -> list[Standing]:
        """What has changed for the next few workers."""
        found: list[Standing] = []
        for _ in range(max(LEAST_A_TICK, len(fleet) // ROUND_TICKS)):
            state = next(self._round, None)
            if state is None:
                self._told = {worker: told for worker, told in self._told.items() if fleet.get(worker) is not None}
                self._round = iter(fleet)
                break
            if fleet.get(state.worker) is state and not state.running:
                found += self._news_of(state, fleet, now)
        return found

    def _news_of(self, state: WorkerState, fleet: Fleet, now: float) -> list[Standing]:
        before = self._told.get(state.worker)
        if before is not None and now - before.at < TELL_EVERY_S:
            return []
        places = [(index, index.places[state.worker, file]) for file, index in fleet.indexes(state)]
        told = before.standings if before is not None else {}
        news = [
            one for index, place in places if _is_new(one := standing(state, place, index, now), told.get(place.offer.model))
        ]
        if news:
            self._told[state.worker] = _Told(now, told | {one.model: one for one in news})
        return news


def _is_new(one: Standing, before: Standing | None) -> bool:
    return before is None or before.reason != one.reason or abs(before.deficit_s - one.deficit_s) >= WORTH_S
