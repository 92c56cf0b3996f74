"""Where IAMINE keeps its files: the XDG rules, and folders that only their owner can read."""

from collections.abc import Mapping
from pathlib import Path

from iamine.errors import IamineError

PRIVATE_MODE = 0o700


class NoHome(IamineError):
    """There is no home folder to keep data in."""

    hint = "name a folder: --data-dir DIR, or set IAMINE_DATA_DIR or HOME"


class FolderUnusable(IamineError):
    """A folder cannot be made or used."""


def data_dir(environ: Mapping[str, str], option: str | None = None) -> Path:
    """The option, else IAMINE_DATA_DIR, else XDG_DATA_HOME/iamine, else ~/.local/share/iamine. Raises: NoHome."""
    named = option or environ.get("IAMINE_DATA_DIR")
    return Path(named) if named else _xdg(environ, "XDG_DATA_HOME", ".local/share")


def cache_dir(environ: Mapping[str, str]) -> Path:
    """XDG_CACHE_HOME/iamine, else ~/.cache/iamine. Raises: NoHome."""
    return _xdg(environ, "XDG_CACHE_HOME", ".cache")


def _xdg(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    base = Path(environ.get(variable) or "")
    if base.is_absolute():  # XDG base directory specification 0.8: a relative path is to be ignored
        return base / "iamine"
    home = environ.get("HOME")
    if not home:
        raise NoHome("there is no home folder (HOME is not set)")
    return Path(home) / below_home / "iamine"


def private_dir(path: Path) -> Path:
    """Make the folder (0700, its parents as usual) unless it is there; a folder that was there keeps its mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=PRIVATE_MODE, exist_ok=True)
    except OSError as error:
        raise FolderUnusable(f"cannot make {path}: {error.strerror}", hint="name another folder with --data-dir DIR") from error
    return path
