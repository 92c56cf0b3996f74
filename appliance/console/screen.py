"""The picture on a Linux console: box drawing, eight colours, drawn again only where it changed."""

import sys
from collections.abc import Sequence

from rich.box import SQUARE
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from appliance.console.view import Kind, Line

BESIDE_COLUMNS, FRAME_ROWS = 46, 4  # what the rows need beside a QR code, and what frame and space around take
STYLES: dict[Kind, str] = {"good": "bold green", "plain": "white", "dim": "cyan", "bad": "bold red"}


class Picture:
    """Draws on stdout until closed."""

    def __init__(self) -> None:
        self._live = Live(console=Console(file=sys.stdout, force_terminal=True), screen=True, auto_refresh=False)
        self._live.start()
        self._shown: tuple[object, ...] = ()

    def show(self, lines: Sequence[Line], footer: str, qr: Sequence[str] = ()) -> None:
        """Draw it, when it or the console's size is another than before."""
        console = self._live.console
        now = (tuple(lines), footer, tuple(qr), console.size)
        if now != self._shown:
            self._shown = now
            fits = bool(qr) and console.width >= BESIDE_COLUMNS + len(qr[0]) and console.height >= len(qr) + FRAME_ROWS
            self._live.update(panel(lines, footer, qr if fits else ()), refresh=True)


def panel(lines: Sequence[Line], footer: str, qr: Sequence[str] = ()) -> Panel:
    """The rows in their frame, with the QR code at their right."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row(
            Text(line.label, style=STYLES["bad"] if line.kind == "bad" else ""),
            Text(line.text, style=STYLES[line.kind], no_wrap=bool(qr) and line.kind == "dim", overflow="crop" if qr else None),
        )
    body = table
    if qr:
        body = Table.grid(padding=(0, 2), expand=True)
        body.add_column(ratio=1)
        body.add_column(width=len(qr[0]))
        body.add_row(table, Text("\n".join(qr), style="bold white on black", no_wrap=True))
    return Panel(body, box=SQUARE, title="IAMINE", title_align="left", subtitle=footer, subtitle_align="left", padding=(1, 2))
