"""SQL by name: each block of a .sql file beginning with `-- name: x` is one query."""

import re
from pathlib import Path

SQL_DIR = Path(__file__).parent / "sql"
_NAME = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)


class Queries:
    """The named blocks of one file; asking for a name that is not there is a KeyError at once."""

    def __init__(self, blocks: dict[str, str]) -> None:
        self._blocks = blocks

    def __getitem__(self, name: str) -> str:
        return self._blocks[name]

    def names(self) -> tuple[str, ...]:
        """All names, in the file's order."""
        return tuple(self._blocks)


def parse(text: str) -> dict[str, str]:
    """The blocks of a file's text by name. Raises: ValueError for a name given twice or text before the first name."""
    head, *rest = _NAME.split(text)
    if any(line.strip() and not line.startswith("--") for line in head.splitlines()):
        raise ValueError("there is SQL before the first `-- name:`")
    names, bodies = rest[::2], rest[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"a query is named twice: {sorted(n for n in names if names.count(n) > 1)[0]}")
    return {name: body.strip() for name, body in zip(names, bodies, strict=True)}


def load(file_stem: str, folder: Path = SQL_DIR) -> Queries:
    """The queries of `<folder>/<file_stem>.sql`."""
    return Queries(parse((folder / f"{file_stem}.sql").read_text(encoding="utf-8")))
