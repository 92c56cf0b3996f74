"""What keeping answers needs from elsewhere; the hub and the store satisfy these."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from iamine.ids import AccountId, JobId, WorkerId
from pool.routing.adoptions import Expected
from pool.routing.types import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """A job of a kept answer as everybody may read it: its last epoch, and who had it."""

    job: JobId
    epoch: int
    worker: WorkerId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """More of a kept answer: sealed events of one of its jobs, and where that job stands."""

    answer: JobId
    ordinal: int
    sealed: bytes
    kin: Kin
    file_sha256: str
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A row of a journal."""

    job: JobId
    ordinal: int
    sealed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A kept answer as it was written down; an `over` one has no text any more."""

    job: JobId
    body: bytes
    over: bool
    sealed: bytes
    jobs: tuple[JobId, ...]
    journal: tuple[Written, ...]


class Journals(Protocol):
    """Where kept answers are written down. All raise DatabaseAway; `keep_s` is for how long from now on."""

    async def begin(
        self, *, job: JobId, account: AccountId, tag: bytes, body: bytes, sealed: bytes, jobs: Sequence[JobId], keep_s: float
    ) -> bool:
        """A new one; False when the tag is taken by another job."""

    async def find(self, tag: bytes, *, keep_s: float) -> Row | None:
        """The one of this tag, unless it expired."""

    async def write(self, rows: Sequence[Progress], *, keep_s: float) -> None:
        """More of them; told again it changes nothing."""

    async def touch(self, answers: Sequence[JobId], *, keep_s: float) -> None:
        """These live."""

    async def over(self, answer: JobId) -> None:
        """Its text goes; its tag is remembered for a day."""

    async def drop(self, answer: JobId) -> None:
        """All of it goes."""

    async def expected(self, *, keep_s: float) -> Sequence[Kin]:
        """At the pool's start: the jobs that an earlier one left, which live on for so long."""

    async def sweep(self) -> None:
        """What expired goes; its jobs are lost."""


class HeldJobs(Protocol):
    """The hub's side: jobs of an earlier pool that workers go on with."""

    def expect(self, job: Expected) -> None: ...

    def is_held(self, job: JobId) -> bool: ...

    def standing(self, job: JobId) -> Standing: ...

    def monotonic(self) -> float: ...
