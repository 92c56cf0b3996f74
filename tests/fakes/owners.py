"""Who owns which worker, and the workers' links, in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

from iamine.ids import AccountId, ModelId, WorkerId
from iamine.wire.messages import Claim
from pool.errors import PoolError

CLAIMED_AT = datetime.fromtimestamp(1_700_000_000, tz=timezone.utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeOwner:
    """An owner."""

    account: AccountId
    name: str
    claimed_at: datetime = CLAIMED_AT


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeOwned:
    """A worker of an account."""

    worker: WorkerId
    name: str = "a worker"
    claimed_at: datetime = CLAIMED_AT
    last_seen: datetime | None = CLAIMED_AT


class FakeOwners:
    """As the store keeps them; `away` is raised instead."""

    def __init__(self) -> None:
        self.owners: dict[WorkerId, FakeOwner] = {}
        self.away: PoolError | None = None

    def check(self) -> None:
        if self.away is not None:
            raise self.away

    async def own(self, worker: WorkerId, account: AccountId) -> FakeOwner:
        self.check()
        return self.owners.setdefault(worker, FakeOwner(account=account, name=account.removeprefix("acc_")))

    async def owner(self, worker: WorkerId) -> FakeOwner | None:
        self.check()
        return self.owners.get(worker)

    async def owned(self, account: AccountId) -> Sequence[FakeOwned]:
        self.check()
        return [FakeOwned(worker=worker) for worker, owner in self.owners.items() if owner.account == account]

    async def disown(self, worker: WorkerId, account: AccountId) -> bool:
        self.check()
        if worker not in self.owners or self.owners[worker].account != account:
            return False
        del self.owners[worker]
        return True


@dataclass
class FakeLinks:
    """Keeps what each worker was told; all that are `here` are linked."""

    here: dict[WorkerId, tuple[ModelId, ...]] = field(default_factory=dict)
    told: dict[WorkerId, list[Claim]] = field(default_factory=dict)

    def tell(self, worker: WorkerId, message: Claim) -> None:
        self.told.setdefault(worker, []).append(message)

    def serving(self, worker: WorkerId) -> tuple[ModelId, ...] | None:
        return self.here.get(worker)

    def code(self, worker: WorkerId) -> str:
        """The code that the worker shows now."""
        return self.told[worker][-1].code
