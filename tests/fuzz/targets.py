"""Readers of what strangers wrote: each takes bytes, and may refuse them by its own error and by no other."""

import os
from collections.abc import Callable
from pathlib import Path

from appliance.agent import fit
from appliance.agent.config import Options, settings
from appliance.agent.errors import ConfigError as AgentConfigError
from appliance.agent.gguf import NotGguf, read_shape
from appliance.agent.models import unknown_model
from appliance.firstboot.settings import read as read_stick
from iamine import manifest
from iamine.wire.codec import decode_from_pool, decode_from_worker
from iamine.wire.errors import WireError
from pool import config as pool_config
from pool.errors import PoolError
from pool.openai.anthropic.request import parse_message
from pool.openai.chat import parse_chat
from pool.openai.completions import parse_completion
from pool.openai.embeddings import parse_embeddings
from pool.openai.responses.request import parse_responses

SCRATCH = Path("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp") / f"iamine-fuzz-{os.getpid()}"
MOST_BYTES = 1 << 60  # no need of a model is beyond this; nor below 0
FIRST_JSON_BYTE = 4


def gguf(data: bytes) -> None:
    """A model file's header, and what the fit makes of it."""
    SCRATCH.write_bytes(data)
    try:
        read_shape(SCRATCH)
    except NotGguf:
        return
    file = manifest.File(path="a.gguf", bytes=len(data), sha256="ab" * 32)
    model = unknown_model((file,), manifest.Manifest(version=1), SCRATCH)
    room = fit.Budget(device="x", gpu=False, bytes=8 << 30)
    found = fit.fit(model, room)
    assert 0 < found.need_bytes < MOST_BYTES
    assert not found.fits or fit.used_bytes(model, found.slots, found.context_tokens) <= room.bytes


def worker_toml(data: bytes) -> None:
    """The agent's configuration."""
    SCRATCH.write_bytes(data)
    try:
        settings(Options(config=SCRATCH), {}, SCRATCH.parent)
    except AgentConfigError:
        return


def pool_toml(data: bytes) -> None:
    """The pool's configuration."""
    SCRATCH.write_bytes(data)
    try:
        pool_config.load(SCRATCH, {}, {"IAMINE_DATA_DIR": "/tmp/x"})
    except pool_config.ConfigError:
        return


def stick_toml(data: bytes) -> None:
    """iamine.toml of the stick: it is never refused, problems are told."""
    read_stick(data)


def manifest_toml(data: bytes) -> None:
    """The list of models, which a pool may send."""
    try:
        manifest.parse(data.decode(errors="replace"))
    except manifest.ManifestError:
        return


def wire(data: bytes) -> None:
    """A frame, either way."""
    for decode in (decode_from_worker, decode_from_pool):
        try:
            decode(data)
        except WireError:
            continue


def requests(data: bytes) -> None:
    """A request's body, in every dialect."""
    for parse in (parse_chat, parse_completion, parse_responses, parse_message):
        try:
            parse(data, seed=1)
        except PoolError as error:
            assert error.status < 500
    try:
        parse_embeddings(data)
    except PoolError as error:
        assert error.status < 500


TARGETS: dict[str, Callable[[bytes], None]] = {
    "gguf": gguf,
    "worker_toml": worker_toml,
    "pool_toml": pool_toml,
    "stick_toml": stick_toml,
    "manifest_toml": manifest_toml,
    "wire": wire,
    "requests": requests,
}
