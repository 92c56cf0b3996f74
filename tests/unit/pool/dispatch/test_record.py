"""A job's end is recorded once, whoever tells it again."""

from collections.abc import Sequence

from iamine.ids import AccountId, JobId, ModelId
from pool.dispatch.ports import Status
from pool.dispatch.record import Background, Record
from pool.errors import Unavailable
from pool.routing.types import Segment


class Counting:
    """Records that count every end they are told."""

    def __init__(self, *, away: bool = False) -> None:
        self.ends: list[tuple[Status, int]] = []
        self.away = away

    async def begin(
        self,
        *,
        job: JobId,
        account: AccountId,
        model: ModelId,
        tier: str = "",
        degraded: bool = False,
        tier_reason: str = "",
    ) -> None:
        if self.away:
            raise Unavailable("away")

    async def finish(
        self, *, job: JobId, status: Status, prompt_tokens: int, completion_tokens: int, segments: Sequence[Segment]
    ) -> None:
        self.ends.append((status, completion_tokens))


def record(records: Counting) -> Record:
    return Record(records, Background(), job=JobId("job_1"), account=AccountId("a"), model=ModelId("m"))


async def test_only_the_first_end_counts() -> None:
    records = Counting()
    one = record(records)
    first = one.finish("complete", prompt_tokens=1, completion_tokens=9, segments=())
    again = one.finish("cut", prompt_tokens=1, completion_tokens=5, segments=())
    await first
    await again
    assert records.ends == [("complete", 9)]


async def test_what_was_never_begun_has_no_end() -> None:
    records = Counting(away=True)
    await record(records).finish("failed", prompt_tokens=0, completion_tokens=0, segments=())
    assert records.ends == []
