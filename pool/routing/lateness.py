"""Who is late: workers that say nothing, jobs whose answer stands still. What is done about it the scheduler decides."""

from iamine.wire.messages import EmbeddingWork
from pool.routing.board import Board, JobRecord
from pool.routing.effects import Evict
from pool.routing.fleet import WorkerState
from pool.routing.patience import Patience


class Lateness:
    """The limits of `patience`, held to what the board knows. Times are the scheduler's monotonic seconds."""

    def __init__(self, board: Board, patience: Patience) -> None:
        self._board, self._patience = board, patience
        self._ticked_at: float | None = None

    def ticked(self, now: float) -> None:
        """A tick that comes late means that this process slept: nobody is blamed for that time."""
        gap_s = 0.0 if self._ticked_at is None else now - self._ticked_at
        self._ticked_at = now
        if gap_s > self._patience.late_tick_s:
            for state in self._board.fleet:
                state.heard_at += gap_s
            for record in self._board.jobs.values():
                record.progressed_at += gap_s

    def silent(self, state: WorkerState, now: float) -> Evict | None:
        """Why the worker must go, if it has said nothing for too long."""
        limit_s = self._patience.busy_silence_s if state.running else self._patience.idle_silence_s
        silent_s = now - max(state.heard_at, state.busy_since)
        if silent_s <= limit_s:
            return None
        return Evict(worker=state.worker, code="silent", reason=f"nothing heard for {silent_s:.1f} s (limit {limit_s:g} s)")

    def stalled(self, record: JobRecord, now: float) -> bool:
        """Whether a running job's answer has stood still for too long."""
        return now - record.progressed_at > self._limit_s(record)

    def _limit_s(self, record: JobRecord) -> float:
        """Three times the worker's own step time, at least `stall_s`; vectors come all at once, so they may take long."""
        if isinstance(record.order.work, EmbeddingWork):
            return self._patience.embedding_s
        state = self._board.fleet.get(record.worker) if record.worker else None
        offer = self._board.offer_of(record)
        own_s = max(state.step_s if state else 0.0, 1 / offer.decode_tps if offer and offer.decode_tps else 0.0)
        return max(self._patience.stall_s, self._patience.stall_steps * own_s)
