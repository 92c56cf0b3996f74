"""What a command prints: tables and lines for people, JSON for programs; colours only where there is a terminal."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from iamine.errors import IamineError

PIPE_WIDTH = 200  # columns when no terminal says otherwise: one row stays one line
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "yes": "green", "no": "dim"}


class Terminal:
    """One output stream. Texts are printed as they are: markup in them means nothing."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._console = Console(file=out, highlight=False, markup=False, emoji=False)
        if not self._console.is_terminal:
            self._console.width = PIPE_WIDTH

    @property
    def is_interactive(self) -> bool:
        """Whether a person looks at it."""
        return self._console.is_terminal

    def line(self, text: str = "", style: str = "") -> None:
        """One line; long ones are not cut."""
        self._console.print(Text(text, style=style), soft_wrap=True)

    def write(self, text: str, style: str = "") -> None:
        """A piece of text as it comes, without a new line."""
        self._console.print(Text(text, style=style), end="", soft_wrap=True)
        self._out.flush()

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Rows under their column names; words such as ok, warn and fail get their colour."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for number, column in enumerate(columns):
            table.add_column(column, overflow="fold", no_wrap=number == 0)
        for row in rows:
            table.add_row(*(Text(str(cell), style=STYLES.get(str(cell), "")) for cell in row))
        self._console.print(table)

    def json(self, value: Any) -> None:
        """The value as indented JSON, never wrapped or coloured."""
        self._out.write(json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False) + "\n")
        self._out.flush()

    def error(self, error: IamineError) -> None:
        """What happened and what to try next."""
        self.line(f"error: {error.message}", "bold red")
        if error.hint:
            self.line(f"  try: {error.hint}")
