"""Files that are whole or not there: written aside, synced, renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.medium.stick import tool


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace the file's content, unless it is this already (a stick wears). Raises OSError."""
    if path.is_file() and path.read_bytes() == content and path.stat().st_mode & 0o777 == mode:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """The folder's own entries are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def mounted(device: str, where: Path, *, writable: bool = False) -> Iterator[Path]:
    """A FAT partition for the length of a block. Raises StickError."""
    where.mkdir(parents=True, exist_ok=True)
    access = "rw,sync" if writable else "ro"
    tool("mount", "-t", "vfat", "-o", f"{access},nosuid,nodev,noexec,umask=0077,iocharset=ascii,utf8", device, str(where))
    try:
        yield where
    finally:
        tool("umount", str(where))
