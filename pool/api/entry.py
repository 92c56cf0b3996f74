"""The way in, the same for every POST: a key, a place, a body."""

import asyncio
from types import TracebackType

from sanic import Request

from iamine.ids import AccountId
from pool.api.auth import account_of
from pool.api.body import BodyTooSlow, discard_body, read_body
from pool.api.desk import Desk
from pool.errors import PoolError, RateLimited
from pool.routing.features import BYTES_PER_TOKEN


class Entered:
    """Who asks, and what; `used_tokens` is told by whoever answers.

    An asynchronous context: a place of the account's is held while the request is answered. Raises PoolError before much is
    read.
    """

    account: AccountId
    body: bytes

    def __init__(self, desk: Desk, request: Request) -> None:
        self._desk = desk
        self._request = request
        self._hold = desk.room.hold()
        self._holds_place = False
        self._estimate: int | None = None
        self.used_tokens = 0

    async def __aenter__(self) -> "Entered":
        try:
            await self._enter()
        except BaseException as error:
            await self._leave(error)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave(error)

    async def _enter(self) -> None:
        desk = self._desk
        self.account = await account_of(desk.keys, self._request)
        desk.gate.enter(self.account)
        self._holds_place = True
        if wait_s := desk.turnstile.wait_s(self.account):
            await asyncio.sleep(wait_s)
        self.body = await read_body(self._request, desk.settings, self._hold)
        estimate = len(self.body) // BYTES_PER_TOKEN
        desk.gate.spend(self.account, estimate)
        self._estimate = estimate

    async def _leave(self, error: BaseException | None) -> None:
        if self._estimate is not None:
            self._desk.gate.settle(self.account, self._estimate, self.used_tokens)
        self._hold.free()
        if self._holds_place:
            self._desk.gate.leave(self.account)
        if isinstance(error, RateLimited):
            await self._desk.turnstile.linger()
        if isinstance(error, PoolError) and not isinstance(error, BodyTooSlow):
            await discard_body(self._request, self._desk.room)
