"""A child's log file: bounded in size, read while it grows, for the lines a person should see."""

import os
import re
import shutil
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

MAX_LOG_BYTES = 8 * 1024 * 1024
MAX_READ_BYTES = 64 * 1024
MAX_NEWS = 20  # lines shown of one read: a storm of warnings is in the file
_SERIOUS = re.compile(r"\b(WARNING|ERROR|CRITICAL)\b|^(error|try|warning): ")


def worth_showing(lines: Iterable[str]) -> list[str]:
    """The warnings and errors among the lines."""
    return [line for line in lines if _SERIOUS.search(line)]


def last_error(lines: Iterable[str]) -> str:
    """The last `error: ...` and the hint after it (`\\n` between), else the last serious line, else nothing."""
    found = ""
    for line in worth_showing(lines):
        found = f"{found}\n{line[5:]}" if line.startswith("try: ") and "\n" not in found else line.removeprefix("error: ")
    return found


class LogTail:
    """Reads what is new in a log since it was made. The writer appends, so cutting the file needs no help of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = self._size()
        self._rest = ""

    def open_for_child(self) -> FileIO:
        """The log for a child's stdout and stderr: 0600, appending."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return FileIO(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "a")

    def news(self) -> list[str]:
        """The warnings and errors among the whole lines that came since the last call; cuts the file when it is too long."""
        size = self._size()
        if size == self._offset:
            return []
        self._offset = 0 if size < self._offset else max(self._offset, size - MAX_READ_BYTES)
        lines = (self._rest + self._read(self._offset)).split("\n")
        self._rest = lines.pop()[-MAX_READ_BYTES:]
        self.trim()
        return worth_showing(lines)[-MAX_NEWS:]

    def last_error(self) -> str:
        """What the child said last before it ended."""
        return last_error(self._read(max(0, self._size() - MAX_READ_BYTES)).split("\n"))

    def trim(self) -> None:
        """Over MAX_LOG_BYTES the log moves to `.1` and begins anew."""
        if self._size() > MAX_LOG_BYTES:
            shutil.copyfile(self.path, self.path.with_name(f"{self.path.name}.1"))
            os.truncate(self.path, 0)
            self._offset = 0

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def _read(self, offset: int) -> str:
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                content = file.read()
        except FileNotFoundError:
            return ""
        self._offset = offset + len(content)
        return content.decode(errors="replace")
