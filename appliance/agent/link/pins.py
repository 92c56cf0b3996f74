"""The pools' keys as they were when first met: a small JSON file, address -> key in hexadecimal, for its owner only."""

import json
import os
import secrets
from pathlib import Path

import msgspec

from appliance.agent.errors import ConfigError


def read_pins(path: Path) -> dict[str, bytes]:
    """The pinned keys by address; none without a file. Raises ConfigError when the file is damaged."""
    try:
        pins = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        return {url: bytes.fromhex(key) for url, key in pins.items()}
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError, ValueError) as error:
        hint = "repair it, or delete it if you trust the pool that answers now"
        raise ConfigError(f"the pinned keys in {path} cannot be read: {error}", hint=hint) from error


def pin(path: Path, url: str, key: bytes) -> None:
    """Write the key of this address (0600, atomically) unless it is there already. Raises OSError."""
    pins = read_pins(path)
    if pins.get(url) == key:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({name: value.hex() for name, value in {**pins, url: key}.items()}, file, indent=1)
    draft.replace(path)
