"""A job as its account may see it: where it stands, who serves it and why, who lost it and why. Never its text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from iamine.ids import AccountId, JobId, ModelId
from pool.errors import NotFound
from pool.routing.history import History, Takeover, story
from pool.routing.types import Segment

LONGEST_ID = 64


class Kept(Protocol):
    """A job as the store keeps it."""

    @property
    def job(self) -> JobId: ...
    @property
    def account(self) -> AccountId: ...
    @property
    def model(self) -> ModelId: ...
    @property
    def status(self) -> str: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def completion_tokens(self) -> int: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def finished_at(self) -> datetime | None: ...
    @property
    def tier(self) -> str: ...
    @property
    def degraded(self) -> bool: ...
    @property
    def tier_reason(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def waited_s(self) -> float: ...
    @property
    def segments(self) -> tuple[Segment, ...]: ...
    @property
    def takeovers(self) -> tuple[tuple[int, Takeover], ...]: ...


class Finder(Protocol):
    """Where jobs are found again."""

    async def find(self, job: JobId) -> Kept | None:
        """Raises Unavailable when the database stays away."""


class Histories(Protocol):
    """What the hub knows of live jobs, and of those that have not been over for long."""

    def histories(self, job: JobId) -> tuple[History, ...]: ...

    def monotonic(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job to be shown; times are seconds, `created_at` and `finished_at` since 1970."""

    job: JobId
    model: ModelId
    status: str
    created_at: float
    finished_at: float | None
    tier: str
    degraded: bool
    tier_reason: str
    reason: str
    waited_s: float
    prompt_tokens: int
    completion_tokens: int
    segments: tuple[Segment, ...]
    takeovers: tuple[tuple[int, Takeover], ...]


class Jobs:
    """Looks jobs up: in the store, and while they run at the hub."""

    def __init__(self, finder: Finder, hub: Histories) -> None:
        self._finder, self._hub = finder, hub

    async def view(self, name: str, account: AccountId) -> JobView:
        """The account's own job, by its id or by its answer's (`chatcmpl-...`). Raises NotFound, Unavailable."""
        _, dash, rest = name.partition("-")
        job = JobId(f"job_{rest}" if dash else name)
        kept = await self._finder.find(job) if len(job) <= LONGEST_ID and job.isascii() else None
        if kept is None or kept.account != account:
            raise NotFound(f"There is no job '{name[:LONGEST_ID]}' of yours.", param="job", code="job_not_found")
        view = _stored(kept)
        live = self._hub.histories(job) if kept.status == "running" else ()
        return _with(view, live, self._hub.monotonic()) if live else view


def _stored(kept: Kept) -> JobView:
    return JobView(
        job=kept.job,
        model=kept.model,
        status=kept.status,
        created_at=kept.created_at.timestamp(),
        finished_at=None if kept.finished_at is None else kept.finished_at.timestamp(),
        tier=kept.tier,
        degraded=kept.degraded,
        tier_reason=kept.tier_reason,
        reason=kept.reason,
        waited_s=kept.waited_s,
        prompt_tokens=kept.prompt_tokens,
        completion_tokens=kept.completion_tokens,
        segments=kept.segments,
        takeovers=kept.takeovers,
    )


def _with(view: JobView, live: Sequence[History], now: float) -> JobView:
    """The view with what is known of it now; the choices' tokens lie on one line, as in the record."""
    told = story(live, now)
    line: list[Segment] = []
    base = 0
    for one in live:
        line += (Segment(worker=s.worker, start=base + s.start, stop=base + s.stop) for s in one.segments())
        base += one.tokens
    waits = any(one.worker is None and not one.over for one in live)
    return replace(
        view,
        status="queued" if waits and not any(one.worker for one in live) else "running",
        reason=told.reason,
        waited_s=told.waited_s,
        takeovers=told.takeovers,
        prompt_tokens=max(one.prompt_tokens for one in live),
        completion_tokens=base,
        segments=tuple(line),
    )
