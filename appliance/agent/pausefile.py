"""A pause outlives the agent: it is kept in a small file of the data folder until it ends."""

import contextlib
import math
import os
from pathlib import Path

import msgspec

from appliance.agent.schedule import Pause

FILE_NAME = "pause.json"


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    until_s: float | None = None


def read_pause(folder: Path) -> Pause | None:
    """The pause that holds; None without one. A file that cannot be understood is a pause: its owner asked for one."""
    try:
        kept = msgspec.json.decode((folder / FILE_NAME).read_bytes(), type=_Kept)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError):
        return Pause()
    return Pause(until_s=kept.until_s if kept.until_s is not None and math.isfinite(kept.until_s) else None)


def keep_pause(folder: Path, pause: Pause | None) -> None:
    """Keep the pause, whole or not at all; None: forget it. Raises OSError."""
    path = folder / FILE_NAME
    if pause is None:
        path.unlink(missing_ok=True)
        return
    fresh = path.with_suffix(".new")
    try:
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(_Kept(until_s=pause.until_s)))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
