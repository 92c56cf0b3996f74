"""The pool's configuration: a strict TOML file, overridden by the command line; every bound has its unit in its name."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import tomllib

from iamine.errors import IamineError
from iamine.manifest import TIERS, Tier
from iamine.paths import data_dir as default_data_dir

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]  # 0: the system chooses
Count = Annotated[int, msgspec.Meta(ge=1)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Address = Annotated[str, msgspec.Meta(pattern=r"^(https?://[^\s?#]+)?$")]
Seconds = Annotated[float, msgspec.Meta(gt=0)]

# Programs that can be told an address but no model ask for these; sizes as OpenAI's own price list ranks them (2026)
ALIASES = {
    "gpt-3.5-turbo": "iamine-small",
    "gpt-4o-mini": "iamine-small",
    "gpt-4o": "iamine-large",
    "gpt-4.1-nano": "iamine-small",
    "gpt-4.1-mini": "iamine-medium",
    "gpt-4.1": "iamine-large",
    "gpt-5-nano": "iamine-small",
    "gpt-5-mini": "iamine-medium",
    "gpt-5": "iamine-xlarge",
}


class ConfigError(IamineError):
    """The configuration cannot be used; starting again does not help."""

    exit_code: int = 2


class UpstreamConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another OpenAI-compatible provider for what nobody here can serve soon: **prompts leave the pool then**.

    `url` ends in /v1; empty is off. `api_key_file` holds its key. `models` names its model for each tier, `model` that for
    all others. It is asked once a request has waited `after_s`, and given up when its first words take `first_token_s`.
    """

    url: str = ""
    api_key_file: str = ""
    model: str = ""
    models: dict[Tier, Name] = msgspec.field(default_factory=dict)
    after_s: Annotated[float, msgspec.Meta(ge=0)] = 5.0
    first_token_s: Seconds = 60.0


class PoolConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings, with their defaults. `dsn` empty is the embedded PostgreSQL in `data_dir`.

    No answer comes from a tier below `quality_floor` while something better lives. `aliases` are other names for models
    and tiers; a table given replaces the default one. `model_tiers` says the tier of models that no manifest knows.
    `substitute`: a model without a worker is stood in for by another of its tier, or of the nearest one.
    `same_model_wait_s`: an answer that was begun waits so long for its own model, then another goes on from its text.
    `think_tiers`: models of these may put questions to a larger one (none: the think tool is off), each of at most
    `think_tokens` and `think_timeout_s`.
    """

    host: str = "127.0.0.1"
    port: Port = 8000
    data_dir: str = ""
    dsn: str = ""
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] = "IAMINE pool"
    announce: bool = True  # on the local network by mDNS, when `host` is not this machine only
    cors_origins: tuple[str, ...] = ()
    files_url: Address = ""  # a web server over a models folder: this pool's workers are sent there
    max_body_bytes: Count = 32 * 1024 * 1024
    max_bodies_bytes: Count = 256 * 1024 * 1024  # of all requests that are being answered
    stream_deadline_s: Seconds = 300.0
    plain_deadline_s: Seconds = 100.0
    database_wait_s: Seconds = 15.0
    same_model_wait_s: Seconds = 20.0
    shutdown_grace_s: Seconds = 5.0
    hold_s: Seconds = 60.0  # workers go on so long without the pool, with jobs whose client sent an Idempotency-Key
    client_grace_s: Seconds = 60.0  # such a job goes on so long without its client
    resume_s: Seconds = 120.0  # its journal outlives the pool for so long
    stalled_client_s: Seconds = 60.0  # a client that reads nothing for so long is cut
    per_key_concurrency: Count = 64
    max_queue: Count = 10_000
    requests_per_minute: Count = 6000  # of one account
    tokens_per_minute: Count = 10_000_000  # of one account, read and written
    quality_floor: Tier = "micro"
    aliases: dict[Name, Name] = msgspec.field(default_factory=lambda: dict(ALIASES))
    model_tiers: dict[Name, Tier] = msgspec.field(default_factory=dict)
    substitute: bool = True
    think_tiers: tuple[Tier, ...] = ("micro", "small")
    think_tokens: Count = 512
    think_timeout_s: Seconds = 60.0
    upstream: UpstreamConfig = msgspec.field(default_factory=UpstreamConfig)
    listen_backlog: Count = 4096  # Sanic's 100 drops SYNs when 256 clients connect at once (measured in November 2026)

    @property
    def data_path(self) -> Path:
        """The data folder."""
        return Path(self.data_dir)


def load(path: Path | None, options: Mapping[str, object], environ: Mapping[str, str]) -> PoolConfig:
    """The file's settings under the options that are not None; `data_dir` is always set. Raises: ConfigError, NoHome."""
    settings = {} if path is None else parse(_read(path), str(path))
    settings |= {name: value for name, value in options.items() if value is not None}
    settings["data_dir"] = str(default_data_dir(environ, str(settings.get("data_dir") or "") or None).absolute())
    return convert(settings, "the command line" if path is None else str(path))


def parse(text: str, source: str) -> dict[str, object]:
    """TOML as a mapping whose keys are all known. Raises: ConfigError naming the key and the nearest known one."""
    try:
        settings = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{source}: {error}", hint="TOML looks like: port = 8000") from error
    known = PoolConfig.__struct_fields__
    for key in settings:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            raise ConfigError(
                f"{source}: unknown setting `{key}`",
                hint=f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}",
            )
    return settings


def convert(settings: Mapping[str, object], source: str) -> PoolConfig:
    """The settings as a value. Raises: ConfigError naming what is wrong."""
    try:
        return msgspec.convert(dict(settings), PoolConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {error}", hint="correct the setting that is named after the `$.`") from error


def upstream_key(config: UpstreamConfig) -> str:
    """The provider's key, "" without a file. Raises: ConfigError, also for a provider that cannot be asked."""
    if not config.url.startswith(("http://", "https://")):
        raise ConfigError(f"upstream.url is {config.url!r}", hint="it looks like https://HOST/v1")
    if not config.model and set(TIERS) - set(config.models):
        raise ConfigError(
            "upstream names no model", hint='add model = "NAME" to [upstream], or one for each tier to [upstream.models]'
        )
    return _read(Path(config.api_key_file).expanduser()).strip() if config.api_key_file else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"cannot read {path}: {reason}", hint="check --config, or upstream.api_key_file") from error
