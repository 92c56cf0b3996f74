"""The pool to work for: the one that is set, else the one that this machine's local network has."""

import asyncio
import contextlib
import math
import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from appliance.agent.candidates import Choice, Proven, choose, line
from appliance.agent.config import FILE_NAME, Settings, need_pool, worker_endpoint
from appliance.agent.discovery import NoMulticast, Seen, browse
from appliance.agent.errors import ConfigError
from appliance.agent.link import LinkBroken, knock
from iamine import __version__
from iamine.lan.record import POOL_TYPE, Place, PoolRecord, pool_record

FOUND_NAME = "found-pool.json"
LOOK_S = 10.0  # one look; each begins anew on the networks that there are then
SETTLE_S = 3.0  # after the first pool, for others to answer (RFC 6762: 0.5 s; asked again after 1 and 3 s)
KNOCK_S = 3.0
TELL_EVERY_S = 60.0
AGENT = f"iamine/{__version__}"


class FoundPool(msgspec.Struct, frozen=True):
    """The pool that was found once: it is known by its key from then on, wherever it moves."""

    fingerprint: str
    base: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where to work: the pool's base address ending in /v1, and the fingerprint its key must show ("": as pinned)."""

    base: str
    pool_key: str


def home(settings: Settings, say: Callable[[str], None]) -> Home:
    """The pool that is set; without one, look for it until it is there.

    Raises ConfigError: none is set and looking is switched off, or several were found and none is pinned.
    """
    if settings.pool or not settings.discover:
        return Home(base=need_pool(settings), pool_key=settings.pool_key)
    path = settings.data_dir / FOUND_NAME
    known = read_found(path)
    wanted = settings.pool_key or (known.fingerprint if known else "")
    say("no pool is set: looking for one on the local network" + (f" with the key {wanted}" if wanted else ""))
    taken = _search(wanted, known, settings.data_dir / FILE_NAME, say)
    say(f"found the pool {line(taken)}: it is taken, and pinned in {path}")
    with contextlib.suppress(OSError):
        keep_found(path, FoundPool(fingerprint=taken.record.fingerprint, base=taken.base, name=taken.record.place.name))
    return Home(base=taken.base, pool_key=taken.record.fingerprint)


def _search(wanted: str, known: FoundPool | None, where: Path, say: Callable[[str], None]) -> Proven:
    """Look again and again. Raises ConfigError."""
    told_s, problem = -math.inf, ""
    while True:
        chosen = _look(wanted, known, where, say)
        if chosen.taken is not None:
            return chosen.taken
        if chosen.reason and not wanted:
            raise ConfigError(chosen.reason, hint=chosen.hint)
        if chosen.reason != problem or time.monotonic() - told_s > TELL_EVERY_S:
            problem, told_s = chosen.reason, time.monotonic()
            hint = chosen.hint or f'to name one, write pool = "http://HOST:PORT" into {where}, or give --pool'
            say(f"{problem or 'no pool on the local network yet'}; still looking; {hint}")


def _look(wanted: str, known: FoundPool | None, where: Path, say: Callable[[str], None]) -> Choice:
    """One look around; where nobody announces anything, the place of last time is tried."""
    try:
        found = pools(LOOK_S, wanted, say)
    except NoMulticast as error:
        say(f"{error.message}; {error.hint}")
        time.sleep(LOOK_S)
        found = []
    if not found and known is not None and known.fingerprint == wanted:
        found = _as_last_time(known)
    return choose(found, wanted, str(where))


def pools(look_s: float, wanted: str, say: Callable[[str], None]) -> list[Proven]:
    """The pools of the local network that prove the key which they announce; others are told of. Raises NoMulticast."""

    def is_ours(seen: Seen) -> bool:
        record = pool_record(seen.place, seen.text)
        return record is not None and record.fingerprint == wanted

    seen = browse(POOL_TYPE, look_s=look_s, settle_s=SETTLE_S, enough=is_ours)
    records = [record for each in seen if (record := pool_record(each.place, each.text)) is not None]
    return asyncio.run(_proven(records, say))


async def _proven(records: Sequence[PoolRecord], say: Callable[[str], None]) -> list[Proven]:
    """Those that answer with the key that they announced, each at the first of its addresses which does."""

    async def prove(record: PoolRecord) -> Proven | None:
        answers = await asyncio.gather(*(_key_at(url) for url in record.urls))
        for url, shows in zip(record.urls, answers, strict=True):
            if shows == record.fingerprint:
                return Proven(record=record, base=url)
        reasons = "; ".join(f"{url}: {shows}" for url, shows in zip(record.urls, answers, strict=True))
        say(f"{record.place.name!r} is announced as a pool with the key {record.fingerprint}, but is none: {reasons}")
        return None

    return [proof for proof in await asyncio.gather(*map(prove, records)) if proof is not None]


async def _key_at(base: str) -> str:
    """The fingerprint that the pool at this base address proves, else what is wrong with it."""
    try:
        return (await knock(worker_endpoint(base), AGENT, within_s=KNOCK_S)).fingerprint
    except LinkBroken as error:
        return error.message


def _as_last_time(known: FoundPool) -> list[Proven]:
    """The known pool, when it still answers where it was."""
    parts = urlsplit(known.base)
    where = Place(name=known.name, addresses=(parts.hostname or "",), port=parts.port or 80)
    record = PoolRecord(place=where, path=parts.path, fingerprint=known.fingerprint, version="unknown")
    return asyncio.run(_proven([record], lambda line: None))


def read_found(path: Path) -> FoundPool | None:
    """The pool that was found before; None before that. Raises ConfigError when the file is damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=FoundPool)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", hint="delete it: the pool is looked for again then") from error


def keep_found(path: Path, found: FoundPool) -> None:
    """Remember the pool (0600, atomically). Raises OSError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(found), indent=1))
    draft.replace(path)
