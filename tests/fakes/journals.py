"""The store's journals, in memory: what an earlier pool wrote is there for the next one."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from iamine.ids import AccountId, JobId
from pool.dispatch.journals import Kin, Progress, Row, Written
from pool.errors import PoolError
from pool.routing.adoptions import Expected
from pool.routing.types import Standing


@dataclass(slots=True)
class _Answer:
    row: Row
    expires_at: float
    kin: dict[JobId, Kin] = field(default_factory=dict)


class FakeJournals:
    """Rows by tag; `away` is raised instead, `clock` tells seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.answers: dict[bytes, _Answer] = {}
        self.away: PoolError | None = None
        self._clock = clock

    def _here(self) -> None:
        if self.away is not None:
            raise self.away

    async def begin(
        self, *, job: JobId, account: AccountId, tag: bytes, body: bytes, sealed: bytes, jobs: Sequence[JobId], keep_s: float
    ) -> bool:
        self._here()
        if tag in self.answers:
            return False
        row = Row(job=job, body=body, over=False, sealed=sealed, jobs=tuple(jobs), journal=())
        kin = {one: Kin(job=one, epoch=0, worker=None) for one in jobs}
        self.answers[tag] = _Answer(row, self._clock() + keep_s, kin)
        return True

    async def find(self, tag: bytes, *, keep_s: float) -> Row | None:
        self._here()
        found = self.answers.get(tag)
        return None if found is None or found.expires_at <= self._clock() else found.row

    async def write(self, rows: Sequence[Progress], *, keep_s: float) -> None:
        self._here()
        for one in rows:
            for answer in self.answers.values():
                if answer.row.job == one.answer:
                    written = Written(job=one.kin.job, ordinal=one.ordinal, sealed=one.sealed)
                    answer.row = replace(answer.row, journal=(*answer.row.journal, written))
                    answer.kin[one.kin.job] = one.kin

    async def touch(self, answers: Sequence[JobId], *, keep_s: float) -> None:
        self._here()

    async def over(self, answer: JobId) -> None:
        self._here()
        for one in self.answers.values():
            if one.row.job == answer:
                one.row = replace(one.row, over=True, sealed=b"", jobs=(), journal=())
                one.kin.clear()

    async def drop(self, answer: JobId) -> None:
        self._here()
        self.answers = {tag: one for tag, one in self.answers.items() if one.row.job != answer}

    async def expected(self, *, keep_s: float) -> list[Kin]:
        self._here()
        return [kin for one in self.answers.values() for kin in one.kin.values()]

    async def sweep(self) -> None:
        self._here()
        self.answers = {tag: one for tag, one in self.answers.items() if one.expires_at > self._clock()}


class FakeHeld:
    """The hub's side of keeping: what is expected, and what workers hold as the test says."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.expected: list[Expected] = []
        self.held: set[JobId] = set()
        self.monotonic = clock

    def expect(self, job: Expected) -> None:
        self.expected.append(job)

    def is_held(self, job: JobId) -> bool:
        return job in self.held

    def standing(self, job: JobId) -> Standing:
        return Standing(file_sha256="f", template_sha256="t", prompt_sha256="p")
