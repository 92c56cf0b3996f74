"""The one way to PostgreSQL: transactions on a connection pool that outlives restarts of the server."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Protocol, TypeVar

import asyncpg
import msgspec

from pool.errors import Unavailable

Result = TypeVar("Result")
RETRY_PAUSE_S = (0.02, 0.05, 0.1, 0.2, 0.5)  # the last one repeats
_AWAY = (
    OSError,  # refused, reset, no socket file; TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, crashed
    asyncpg.TooManyConnectionsError,
    asyncpg.ConnectionDoesNotExistError,
)
REFUSALS = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)  # waiting does not help


class Connection(Protocol):
    """The four things a query needs."""

    async def execute(self, query: str, *args: object) -> str: ...
    async def executemany(self, command: str, args: Sequence[Sequence[object]]) -> None: ...
    async def fetch(self, query: str, *args: object) -> list[Any]: ...
    async def fetchrow(self, query: str, *args: object) -> Any: ...


class DatabaseAway(Unavailable):
    """PostgreSQL does not answer."""

    code = "database_away"
    retry_after_s = 2.0
    hint = "try again in a few seconds; the pool reconnects by itself"


class Database:
    """A pool of connections to one DSN. Times are seconds; nothing waits longer than `wait_s`."""

    def __init__(self, pool: Any, *, wait_s: float) -> None:
        self._pool = pool
        self.wait_s = wait_s

    @classmethod
    async def open(cls, dsn: str, *, wait_s: float = 15.0, max_connections: int = 10) -> "Database":
        """No connection is made yet: the server may still be away, and the DSN may be wrong."""
        pool = await asyncpg.create_pool(
            dsn,
            min_size=0,
            max_size=max_connections,
            timeout=5.0,
            command_timeout=wait_s,
            max_inactive_connection_lifetime=60.0,
            reset=_no_reset,
        )
        return cls(pool, wait_s=wait_s)

    async def __aenter__(self) -> "Database":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def transaction(self, work: Callable[[Connection], Awaitable[Result]], *, wait_s: float | None = None) -> Result:
        """Run `work` in one transaction. It runs AGAIN when the server went away in the middle, so it must be idempotent:
        a commit whose answer was lost may have happened. Raises: DatabaseAway after `wait_s`.
        """
        return await self._again_and_again(lambda: self._once(work), self.wait_s if wait_s is None else wait_s)

    async def statement(self, query: str, *args: object, wait_s: float | None = None) -> list[Any]:
        """The rows of one statement that is a transaction by itself: one round trip. It may run AGAIN, as in `transaction`.
        Raises: DatabaseAway after `wait_s`.
        """

        async def work(connection: Connection) -> list[Any]:
            return await connection.fetch(query, *args)

        return await self._again_and_again(lambda: self._held(work), self.wait_s if wait_s is None else wait_s)

    async def _again_and_again(self, once: Callable[[], Awaitable[Result]], limit_s: float) -> Result:
        deadline = time.monotonic() + limit_s
        attempt = 0
        while True:
            try:
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + max(0.0, deadline - time.monotonic())):
                    return await once()
            except _AWAY as error:
                pause_s = RETRY_PAUSE_S[min(attempt, len(RETRY_PAUSE_S) - 1)]
                if time.monotonic() + pause_s >= deadline:
                    raise DatabaseAway(f"the database did not answer within {limit_s:g} s") from error
            attempt += 1
            await asyncio.sleep(pause_s)

    async def _once(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        async def together(connection: Any) -> Result:
            async with connection.transaction():
                return await work(connection)

        return await self._held(together)

    async def _held(self, work: Callable[[Any], Awaitable[Result]]) -> Result:
        """With a connection of its own."""
        connection = await self._pool.acquire()
        try:
            return await work(connection)
        except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            if _is_lost(connection, error):
                raise ConnectionResetError(str(error)) from error
            raise
        finally:
            await self._give_back(connection)

    async def _give_back(self, connection: Any) -> None:
        """What goes wrong here is the link's end; the pool has closed it, and the work's own outcome counts."""
        with contextlib.suppress(asyncpg.InterfaceError, asyncpg.InternalClientError, *_AWAY):
            await self._pool.release(connection, timeout=2.0)

    async def healthy(self, timeout_s: float = 2.0) -> bool:
        """Does the server answer a query within the time?"""
        try:
            await self.transaction(lambda connection: connection.fetchrow("SELECT 1"), wait_s=timeout_s)
        except DatabaseAway:
            return False
        return True

    async def close(self) -> None:
        """Let running queries end for 2 s, then cut them."""
        try:
            async with asyncio.timeout(2.0):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


def as_json(value: object) -> str:
    """For a parameter of type jsonb. asyncpg takes it as a text; of an array it looks at every element, which is dearer."""
    return msgspec.json.encode(value).decode()


async def _no_reset(_connection: object) -> None:
    """Nothing here changes a session's state, and asyncpg rolls back what is open: the usual four queries are left out."""


def _is_lost(connection: Any, error: Exception) -> bool:
    """asyncpg tells a link lost in the middle as a misuse, or (the ROLLBACK that follows) as an error of its own state."""
    try:
        if isinstance(error, asyncpg.InternalClientError):
            connection.terminate()
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # the pool has taken it back already, because its link is gone
        return True
