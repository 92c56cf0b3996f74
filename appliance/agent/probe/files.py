"""Files under a root that may not be there: what cannot be read is None."""

from pathlib import Path


def read(path: Path) -> str | None:
    """The file's text without the white space around it."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


def number(path: Path) -> int | None:
    """The whole number in the file, decimal or with 0x."""
    try:
        return int(read(path) or "", 0)
    except ValueError:
        return None


def first_number(folder: Path, *names: str) -> int | None:
    """The number in the first of the files that has one."""
    return next((found for name in names if (found := number(folder / name)) is not None), None)


def fields(path: Path, separator: str = ":") -> dict[str, str]:
    """The lines `name SEPARATOR value` of the file; of a name that comes twice the first."""
    found: dict[str, str] = {}
    for line in (read(path) or "").splitlines():
        name, between, value = line.partition(separator)
        if between:
            found.setdefault(name.strip(), value.strip())
    return found


def numbers(listed: str | None) -> frozenset[int]:
    """The set that the kernel writes as `0-3,8`; empty for what is no such list."""
    found: set[int] = set()
    for part in (listed or "").split(","):
        first, _, last = part.strip().partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def link_name(path: Path) -> str:
    """The last part of what a symbolic link points to; "" when there is none."""
    try:
        return path.readlink().name
    except OSError:
        return ""
