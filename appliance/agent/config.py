"""What the volunteer wants: options, environment and worker.toml become one value; unknown keys are named and refused."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec

from appliance.agent.errors import ConfigError
from appliance.agent.schedule import BadHours, Schedule, read_hours
from iamine.manifest import ReasoningFormat, ToolFormat

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover (only 3.10 comes here)
    import tomli as tomllib

FILE_NAME = "worker.toml"
MODELS_NAME = "models"
POOL_VARIABLE = "IAMINE_POOL"
HUB_VARIABLE = "IAMINE_HUB"
ENGINE_VARIABLE = "IAMINE_ENGINE_SOCKET"
REBOOT_VARIABLE = "IAMINE_MAY_REBOOT"
WORKER_PATH = "/v1/workers/connect"
CLAIM_PATH = "/claim"
_KEYS = "pool, pool_key, discover, name, model, max_tps, slots, context_tokens, threads, gpu, exact, models_dir, engine_socket"
_TABLES = "[fetch], [[models]], [schedule]"


class ListedModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `[[models]]` table: a file to load whatever else is chosen. A relative path starts at the config file's folder."""

    path: str
    id: str = ""
    kind: Literal["chat", "completion", "embedding"] = "chat"
    tool_format: ToolFormat = ""
    reasoning_format: ReasoningFormat = ""


class Hours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[schedule]` table: when the machine works, in local time, as in "22:00-07:00" or "sat 00:00-24:00"; none: always."""

    hours: tuple[str, ...] = ()


class FetchSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[fetch]` table: where model files come from, in this order; each may be left out.

    `folders` are looked into (a stick, another disk), `mirrors` are web servers over somebody's models folder (a peer on the
    LAN, the pool's operator), `hub` is the address of a model hub (docs: it may hold {repo}, {revision} and {path}).
    `lan`: between mirrors and hub, machines of the local network are asked that share their models there (`iamine share`).
    `auto`: a worker that starts fetches the best model for its machine by itself.
    """

    folders: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    hub: str = ""
    lan: bool = True
    auto: bool = False


NO_FETCH = FetchSettings()


class ConfigFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """worker.toml, as written."""

    pool: str = ""
    pool_key: str = ""
    discover: bool = True
    name: str = ""
    model: str = ""
    max_tps: float | None = None
    slots: int = 0
    context_tokens: int = 0
    threads: int = 0
    gpu: bool | None = None
    exact: bool | None = None
    models_dir: str = ""
    engine_socket: str = ""
    fetch: FetchSettings = FetchSettings()
    models: tuple[ListedModel, ...] = ()
    schedule: Hours = Hours()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was said on the command line; None (or an empty text) means: not said. `auto` passes over the config's model."""

    pool: str | None = None
    name: str | None = None
    model: str | None = None
    max_tps: float | None = None
    slots: int | None = None
    config: Path | None = None
    models_dir: Path | None = None
    auto: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds. `pool` is the pool's base address ending in /v1, "" when none was said; 0 and None mean: choose.

    `discover`: without a pool, one is looked for on the local network.
    `engine_socket` is where an engine host listens; None: engines are children of the agent. `may_reboot`: the machine has
    nothing else to do, and a unit that reboots it when the agent asks for it by its exit status.
    """

    data_dir: Path
    pool: str = ""
    pool_key: str = ""
    discover: bool = True
    name: str = ""
    model: str = ""
    max_tps: float | None = None
    slots: int = 0
    context_tokens: int = 0
    threads: int = 0
    gpu: bool | None = None
    exact: bool | None = None
    models_dir: Path
    engine_socket: Path | None = None
    may_reboot: bool = False
    fetch: FetchSettings = NO_FETCH
    models: tuple[ListedModel, ...] = ()
    schedule: Schedule = ()


def settings(options: Options, environ: Mapping[str, str], data_dir: Path) -> Settings:
    """Option before environment before file before default. Raises ConfigError naming the key and what to write."""
    path = options.config or data_dir / FILE_NAME
    file = _checked(read_file(path, must_exist=options.config is not None), path)
    pool = options.pool or environ.get(POOL_VARIABLE) or file.pool
    engines = environ.get(ENGINE_VARIABLE) or file.engine_socket
    chosen = Settings(
        data_dir=data_dir,
        pool=api_base(pool) if pool else "",
        pool_key=file.pool_key.strip().lower(),
        discover=file.discover,
        name=options.name or file.name,
        model=options.model or ("" if options.auto else file.model),
        max_tps=options.max_tps if options.max_tps is not None else file.max_tps,
        slots=options.slots if options.slots is not None else file.slots,
        context_tokens=file.context_tokens,
        threads=file.threads,
        gpu=file.gpu,
        exact=file.exact,
        models_dir=options.models_dir or _anchor(file.models_dir or data_dir / MODELS_NAME, path),
        may_reboot=environ.get(REBOOT_VARIABLE) == "1",
        engine_socket=_anchor(engines, path) if engines else None,
        fetch=_fetch(file.fetch, environ, path),
        models=tuple(msgspec.structs.replace(model, path=str(_anchor(model.path, path))) for model in file.models),
        schedule=_schedule(file, path),
    )
    if chosen.max_tps is not None and not chosen.max_tps > 0:
        raise ConfigError(f"max_tps is {chosen.max_tps}", hint="give tokens per second above 0, or leave it out for no limit")
    if chosen.slots < 0:
        raise ConfigError(f"slots is {chosen.slots}", hint="give 1 or more, or 0 to let the agent choose")
    return chosen


def read_file(path: Path, *, must_exist: bool) -> ConfigFile:
    """The config file's content, an empty one when there is no file and none must be. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if must_exist:
            raise ConfigError(f"there is no config file {path}", hint="check the path given with --config") from None
        return ConfigFile()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", hint="make it a UTF-8 text that this user may read") from error
    try:
        return msgspec.convert(tomllib.loads(text), ConfigFile)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", hint="correct that line; texts stand in quotes") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}", hint=f"keys that may be there: {_KEYS}, {_TABLES}") from error


def need_pool(chosen: Settings) -> str:
    """The pool's base address. Raises ConfigError that says how to set it."""
    if chosen.pool:
        return chosen.pool
    where = chosen.data_dir / FILE_NAME
    raise ConfigError(
        "no pool is set, so there is nobody to work for",
        hint=f'give --pool http://HOST:PORT, set {POOL_VARIABLE}, or write pool = "http://HOST:PORT" in {where}',
    )


def api_base(address: str) -> str:
    """`http(s)://host[:port][/path]/v1` from an address with or without /v1. Raises ConfigError for what is no address."""
    text = address.strip()
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
    except ValueError as error:  # "http://[": a part of an IPv6 address
        raise ConfigError(f"{address!r} is no pool address", hint="an address looks like http://HOST:PORT") from error
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    if scheme not in {"http", "https"} or not parts.hostname or not _has_port(parts.netloc):
        raise ConfigError(f"{address!r} is no pool address", hint="an address looks like http://HOST:PORT or https://HOST/v1")
    path = parts.path.rstrip("/").removesuffix(WORKER_PATH).removesuffix("/v1")
    return urlunsplit((scheme, parts.netloc, f"{path}/v1", "", ""))


def worker_endpoint(base: str) -> str:
    """The WebSocket address for workers of a base made by `api_base`."""
    parts = urlsplit(base)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, parts.netloc, parts.path.removesuffix("/v1") + WORKER_PATH, "", ""))


def claim_page(base: str) -> str:
    """Where people type a worker's code, of a base made by `api_base`."""
    return base.removesuffix("/v1") + CLAIM_PATH


def _has_port(netloc: str) -> bool:
    try:
        return urlsplit(f"//{netloc}").port != 0
    except ValueError:
        return False


def _is_web(address: str) -> bool:
    try:
        return urlsplit(address).scheme in {"http", "https"}
    except ValueError:
        return False


def _fetch(said: FetchSettings, environ: Mapping[str, str], path: Path) -> FetchSettings:
    """The variable before the file; folders made absolute. Raises ConfigError for what is no address."""
    chosen = msgspec.structs.replace(
        said, hub=environ.get(HUB_VARIABLE) or said.hub, folders=tuple(str(_anchor(each, path)) for each in said.folders)
    )
    for address in (*chosen.mirrors, *((chosen.hub,) if chosen.hub else ())):
        if not _is_web(address):
            raise ConfigError(f"{address!r} is no address to fetch from", hint="an address begins with https:// or http://")
    return chosen


def _checked(file: ConfigFile, path: Path) -> ConfigFile:
    for key in ("slots", "context_tokens", "threads"):
        if getattr(file, key) < 0:
            raise ConfigError(f"{path}: {key} is below 0", hint="0 means that the agent chooses")
    return file


def _schedule(file: ConfigFile, path: Path) -> Schedule:
    try:
        return read_hours(file.schedule.hours)
    except BadHours as error:
        raise ConfigError(
            f"{path}: [schedule] hours: {error}", hint="correct that entry; without hours it works always"
        ) from error


def _anchor(written: str | Path, file: Path) -> Path:
    """A path of the config file: relative ones start at the file's folder."""
    return file.absolute().parent / Path(written).expanduser()
