"""Accounts and their API keys."""

import secrets
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timezone

import asyncpg

from iamine import ids
from iamine.ids import AccountId
from pool.store import apikeys, queries
from pool.store.apikeys import ApiKey, KeyCache, Known
from pool.store.database import Connection, Database, DatabaseAway
from pool.store.errors import AccountNameInvalid, AccountNameTaken

MAX_NAME_CHARACTERS = 64
STALE_WAIT_S = 1.0  # how long a key that is known but no longer fresh waits for the database


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key at the one moment when it can be shown."""

    account: AccountId
    name: str
    api_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountName:
    """An account as lists show it."""

    account: AccountId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInfo:
    """What may be shown of a key later."""

    kid: str
    created_at: datetime
    last_used: date | None
    revoked_at: datetime | None


def checked_name(name: str) -> str:
    """The name in NFC. Raises: AccountNameInvalid."""
    name = unicodedata.normalize("NFC", name)
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS or name != name.strip() or not name.isprintable():
        raise AccountNameInvalid(
            f"an account name has 1-{MAX_NAME_CHARACTERS} printable characters and no space at its ends",
            param="name",
            hint="for example: alice, lab-3, Ann Lee",
        )
    return name


def _name_key(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


class Accounts:
    """Creates accounts, and knows whose key it is, mostly without a query: see KeyCache for how long that holds."""

    def __init__(
        self,
        database: Database,
        *,
        cache: KeyCache | None = None,
        now_s: Callable[[], float] = time.monotonic,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._database = database
        self._cache = cache or KeyCache(size=10_000, fresh_s=30.0, grace_s=600.0)
        self._now_s, self._random_bytes = now_s, random_bytes
        self._sql = queries.load("accounts")

    async def create(self, name: str) -> NewKey:
        """A new account with its first key. Raises: AccountNameTaken, AccountNameInvalid, DatabaseAway."""
        name = checked_name(name)
        account, key = ids.account_id(self._random_bytes(ids.ID_BYTES)), self._new_key()

        async def work(connection: Connection) -> None:
            await connection.execute(self._sql["insert_account"], account, name, _name_key(name))
            await connection.execute(self._sql["insert_key"], key.kid, account, key.secret_hash())

        try:
            await self._database.transaction(work)
        except asyncpg.UniqueViolationError as error:
            raise AccountNameTaken(
                f"there is already an account called {name!r} (capitals do not count)", param="name", hint="choose another name"
            ) from error
        return NewKey(account=account, name=name, api_key=key.text())

    async def add_key(self, account: AccountId) -> str:
        """Another key of the account, as text."""
        key = self._new_key()
        await self._database.transaction(
            lambda connection: connection.execute(self._sql["insert_key"], key.kid, account, key.secret_hash())
        )
        return key.text()

    async def authenticate(self, api_key: str) -> AccountId | None:
        """Whose key it is; None when it is nobody's. Raises: DatabaseAway when it is not known and cannot be looked up."""
        key = apikeys.read(api_key)
        if key is None:
            return None
        fresh = self._cache.fresh(key.kid, self._now_s())
        if fresh is not None:
            return apikeys.check(key, fresh)
        usable = self._cache.usable(key.kid, self._now_s())
        try:
            return await self._look_up(key, wait_s=None if usable is None else STALE_WAIT_S)
        except DatabaseAway:
            if usable is None:
                raise
            return apikeys.check(key, usable)

    async def _look_up(self, key: ApiKey, wait_s: float | None) -> AccountId | None:
        today = datetime.now(timezone.utc).date()

        async def work(connection: Connection) -> Known | None:
            row = await connection.fetchrow(self._sql["find_key"], key.kid)
            if row is None:
                return None
            known = Known(account=AccountId(row["account"]), secret_hash=row["secret_hash"], read_at_s=self._now_s())
            if row["last_used"] != today and apikeys.check(key, known) is not None:
                await connection.execute(self._sql["touch_key"], key.kid, today)
            return known

        known = await self._database.transaction(work, wait_s=wait_s)
        account = apikeys.check(key, known)
        if known is not None and account is not None:
            self._cache.put(key.kid, known)
        elif known is None:
            self._cache.forget(key.kid)
        return account

    async def revoke(self, kid: str) -> bool:
        """End a key: at once in this process, within the cache's fresh time in others. False when there was none."""
        row = await self._database.transaction(lambda connection: connection.fetchrow(self._sql["revoke_key"], kid))
        self._cache.forget(kid)
        return row is not None

    async def keys(self, account: AccountId) -> tuple[KeyInfo, ...]:
        """The account's keys, oldest first."""
        rows = await self._database.transaction(lambda connection: connection.fetch(self._sql["list_keys"], account))
        return tuple(KeyInfo(**dict(row)) for row in rows)

    async def find(self, name: str) -> AccountId | None:
        """The account of that name, capitals aside."""
        row = await self._database.transaction(
            lambda connection: connection.fetchrow(self._sql["find_account"], _name_key(unicodedata.normalize("NFC", name)))
        )
        return None if row is None else AccountId(row["id"])

    async def names(self) -> tuple[AccountName, ...]:
        """All accounts, oldest first."""
        rows = await self._database.transaction(lambda connection: connection.fetch(self._sql["list_accounts"]))
        return tuple(AccountName(account=AccountId(row["id"]), name=row["name"]) for row in rows)

    def _new_key(self) -> ApiKey:
        return apikeys.make(self._random_bytes(apikeys.KID_BYTES + apikeys.SECRET_BYTES))
