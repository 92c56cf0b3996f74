"""Locks on files: they end with the process that holds them, however it ends."""

import errno
import fcntl
import os
from pathlib import Path


class LockFile:
    """An exclusive flock. Children that are given `fd` hold it too: it ends with the last of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    @property
    def fd(self) -> int:
        """The descriptor that carries the lock."""
        if self._fd is None:
            raise ValueError(f"{self.path} is not locked")
        return self._fd

    def try_take(self) -> bool:
        """Take it if nobody has it."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise
        self._fd = fd
        return True

    def release(self) -> None:
        """Let go; children that were given `fd` still hold it."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
