"""The way in, the same for every POST: a key, a place, a body."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sanic import Request

from iamine.ids import AccountId
from pool.api.auth import account_of
from pool.api.body import BodyTooSlow, discard_body, read_body
from pool.api.desk import Desk
from pool.errors import PoolError
from pool.routing.features import BYTES_PER_TOKEN


@dataclass(slots=True, kw_only=True)
class Entered:
    """Who asks, and what; `used_tokens` is told by whoever answers."""

    account: AccountId
    body: bytes
    used_tokens: int = 0


@asynccontextmanager
async def entered(desk: Desk, request: Request) -> AsyncIterator[Entered]:
    """Hold a place of the account's while the request is answered. Raises PoolError before much is read."""
    try:
        account = await account_of(desk.keys, request)
        with desk.gate.enter(account), desk.room.hold() as hold:
            guest = Entered(account=account, body=await read_body(request, desk.settings, hold))
            estimate = len(guest.body) // BYTES_PER_TOKEN
            desk.gate.spend(account, estimate)
            try:
                yield guest
            finally:
                desk.gate.settle(account, estimate, guest.used_tokens)
    except PoolError as error:
        if not isinstance(error, BodyTooSlow):
            await discard_body(request)
        raise
