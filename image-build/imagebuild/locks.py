"""Pure: of a hash-locked requirements file, the blocks of some packages; and lists with comments."""

import re
from collections.abc import Iterable

from imagebuild.errors import BuildError

_BLOCK = re.compile(r"^(?=[A-Za-z0-9])", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def words(text: str) -> list[str]:
    """The lines of a list, without comments and empty lines."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def only(lock: str, names: Iterable[str]) -> str:
    """The lock with the blocks of `names` only. Raises BuildError when one of them is not locked."""
    wanted, kept, found = set(names), [], set()
    for block in _BLOCK.split(lock):
        name = _NAME.match(block)
        if name and name.group() in wanted:
            found.add(name.group())
            kept.append(block)
    if wanted - found:
        hint = "add it to requirements/runtime.in and run `just lock`, or take it from image-build/packages"
        raise BuildError(f"not in the lock: {', '.join(sorted(wanted - found))}", hint=hint)
    return "".join(kept)
