"""A QR code in the characters of a bare console: light modules are drawn, dark ones are the black between them. Pure."""

from collections.abc import Sequence
from functools import lru_cache

import segno

QUIET_MODULES = 2  # around the code; ISO/IEC 18004 asks for 4, readers are content with less on a black screen (tried)
MAX_BYTES = 78  # version 4 at the lowest level of correction: 37 columns with the quiet zone, which 80 have beside the rest
HALVES = {(True, True): "\u2588", (True, False): "\u2580", (False, True): "\u2584", (False, False): " "}


@lru_cache(maxsize=4)
def half_blocks(text: str) -> tuple[str, ...]:
    """Rows of equal width, two modules high each; none for a text that would make too large a code."""
    if not text or len(text.encode()) > MAX_BYTES:
        return ()
    dark = segno.make_qr(text, error="l").matrix
    side = len(dark) + 2 * QUIET_MODULES
    light = [[not (_at(dark, row, column)) for column in range(side)] for row in range(side)]
    light.append([False] * side)  # an odd number of rows: half a character is left, and black
    return tuple(
        "".join(HALVES[upper, lower] for upper, lower in zip(light[row], light[row + 1], strict=True))
        for row in range(0, side, 2)
    )


def _at(dark: Sequence[Sequence[int]], row: int, column: int) -> bool:
    """Whether the module is dark; the quiet zone is not."""
    row, column = row - QUIET_MODULES, column - QUIET_MODULES
    return 0 <= row < len(dark) and 0 <= column < len(dark) and bool(dark[row][column])
