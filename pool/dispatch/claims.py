"""Whose a worker is: it shows a code, and the account that sends the code takes it as its own."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from os import urandom
from typing import Protocol

from iamine.ids import AccountId, ModelId, WorkerId
from iamine.wire.messages import Claim
from pool.errors import ClaimCodeUnknown, InvalidRequest, NotFound, PoolError, RateLimited, WorkerClaimed
from pool.routing.claims import CODE_BYTES, Codes, Guesses, read, shown

log = logging.getLogger("pool.dispatch")

LOOK_EVERY_S = 15.0
LONGEST_ID = 64


class Owner(Protocol):
    """Who has claimed a worker."""

    @property
    def account(self) -> AccountId: ...
    @property
    def name(self) -> str: ...
    @property
    def claimed_at(self) -> datetime: ...


class OwnedWorker(Protocol):
    """A worker of an account, as it is kept."""

    @property
    def worker(self) -> WorkerId: ...
    @property
    def name(self) -> str: ...
    @property
    def claimed_at(self) -> datetime: ...
    @property
    def last_seen(self) -> datetime | None: ...


class Owners(Protocol):
    """Where owners are kept. All raise Unavailable while that cannot be known."""

    async def own(self, worker: WorkerId, account: AccountId) -> Owner:
        """Make it the account's, unless somebody has it; who has it then."""

    async def owner(self, worker: WorkerId) -> Owner | None:
        """Whose it is."""

    async def owned(self, account: AccountId) -> Sequence[OwnedWorker]:
        """The account's workers."""

    async def disown(self, worker: WorkerId, account: AccountId) -> bool:
        """It is nobody's again; False when it was not the account's."""


class Links(Protocol):
    """The workers' links."""

    def tell(self, worker: WorkerId, message: Claim) -> None:
        """Send it, if the worker is here and understands it."""

    def serving(self, worker: WorkerId) -> tuple[ModelId, ...] | None:
        """What a linked worker offers; None for one that is not here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A worker of the account: what is kept of it, and what it serves now (None: it is not linked). Seconds since 1970."""

    worker: WorkerId
    name: str
    claimed_at: float
    last_seen: float | None
    models: tuple[ModelId, ...] | None


class Claims:
    """Gives codes to the workers that nobody owns, and workers to the accounts that know their codes."""

    def __init__(
        self,
        *,
        owners: Owners,
        links: Links,
        clock: Callable[[], float] = time.monotonic,
        random_bytes: Callable[[int], bytes] = urandom,
    ) -> None:
        self._owners, self._links = owners, links
        self._clock, self._random_bytes = clock, random_bytes
        self._codes, self._guesses = Codes(), Guesses()
        self._unknown: set[WorkerId] = set()  # whose they are could not be asked when they came

    async def joined(self, worker: WorkerId) -> None:
        """A worker is here: tell it whose it is, or its code."""
        try:
            owner = await self._owners.owner(worker)
        except PoolError as error:
            self._unknown.add(worker)
            log.warning("worker %s: whose it is cannot be known now: %s", worker, error)
            return
        self._unknown.discard(worker)
        if owner is None:
            self._give(worker)
        else:
            self._links.tell(worker, Claim(owner=owner.name))

    async def claim(self, account: AccountId, text: str) -> Owned:
        """The worker whose code this is becomes the account's.

        Raises InvalidRequest, ClaimCodeUnknown, RateLimited, WorkerClaimed, Unavailable.
        """
        now, code = self._clock(), read(text)
        if code is None:
            raise InvalidRequest("A claim code has 8 letters and digits, as in 7KQ4-M2XN.", param="code")
        wait_s = self._guesses.wait_s(account, now)
        if wait_s:
            raise RateLimited(f"Too many wrong codes. Try again in {wait_s:.0f} s.", retry_after_s=wait_s)
        worker = self._codes.find(code, now)
        if worker is None:
            self._guesses.failed(account, now)
            hint = "The worker's screen and `iamine status` show the code; it changes every hour."
            raise ClaimCodeUnknown("No worker here has this code now.", param="code", hint=hint)
        owner = await self._owners.own(worker, account)
        self._codes.drop(worker)
        self._links.tell(worker, Claim(owner=owner.name))
        if owner.account != account:
            raise WorkerClaimed("Another account has just claimed this worker.", param="code")
        log.info("worker %s is claimed by %s", worker, account)
        found = [one for one in await self.owned(account) if one.worker == worker]
        if not found:
            raise WorkerClaimed("The worker was given away at the same moment.", param="code")
        return found[0]

    async def owned(self, account: AccountId) -> tuple[Owned, ...]:
        """The account's workers. Raises Unavailable."""
        return tuple(self._told(one) for one in await self._owners.owned(account))

    async def release(self, account: AccountId, worker: str) -> None:
        """It is nobody's again, and shows a code. Raises NotFound, Unavailable."""
        name = WorkerId(worker[:LONGEST_ID])
        if not (worker.isascii() and worker.isprintable() and await self._owners.disown(name, account)):
            raise NotFound("You have no such worker.", param="id", code="worker_not_found", hint="See GET /v1/me/workers.")
        log.info("worker %s is given up by %s", name, account)
        if self._links.serving(name) is not None:
            self._give(name)

    async def run(self) -> None:
        """Renew codes in time, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Codes that are due; and those whose owner could not be asked for."""
        for worker in self._codes.due(self._clock()):
            if self._links.serving(worker) is not None:
                self._give(worker)
        for worker in list(self._unknown):
            if self._links.serving(worker) is None:
                self._unknown.discard(worker)
            else:
                await self.joined(worker)

    def _give(self, worker: WorkerId) -> None:
        now = self._clock()
        code = self._codes.give(worker, self._random_bytes(CODE_BYTES), now)
        self._links.tell(worker, Claim(code=shown(code.text), valid_s=round(code.until_s - now, 1)))

    def _told(self, one: OwnedWorker) -> Owned:
        return Owned(
            worker=one.worker,
            name=one.name,
            claimed_at=one.claimed_at.timestamp(),
            last_seen=None if one.last_seen is None else one.last_seen.timestamp(),
            models=self._links.serving(one.worker),
        )
