"""A QR code in half blocks: the modules are the right ones, and the characters those of a bare console."""

import segno
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.agent.qr import HALVES, MAX_BYTES, QUIET_MODULES, half_blocks

ADDRESS = "http://192.168.100.200:8000/claim#7KQ4-M2XN"
BOTH = {drawn: halves for halves, drawn in HALVES.items()}


@given(st.text(alphabet="abcdefghij.:/-#0123456789", min_size=1, max_size=60))
@settings(max_examples=25)
def test_the_drawn_modules_are_those_of_the_code(text: str) -> None:
    rows = half_blocks(text)
    lights = [[BOTH[character][half] for character in row] for row in rows for half in (0, 1)]
    matrix = segno.make_qr(text, error="l").matrix
    side = len(matrix) + 2 * QUIET_MODULES
    assert lights[side:] == [[False] * side] and all(len(row) == side for row in rows)
    inside = [row[QUIET_MODULES:-QUIET_MODULES] for row in lights[QUIET_MODULES : side - QUIET_MODULES]]
    assert inside == [[not module for module in row] for row in matrix]
    quiet = lights[:QUIET_MODULES] + lights[side - QUIET_MODULES : side]
    assert all(all(row) for row in quiet) and all(all(row[:QUIET_MODULES] + row[-QUIET_MODULES:]) for row in lights[:side])


def test_an_address_fits_beside_the_facts_in_the_consoles_characters() -> None:
    rows = half_blocks(ADDRESS)
    assert (len(rows), len(rows[0])) == (17, 33)
    "\n".join(rows).encode("cp437")


def test_what_is_too_long_or_nothing_is_not_drawn() -> None:
    assert half_blocks("") == () == half_blocks("x" * (MAX_BYTES + 1))
    assert len(half_blocks("x" * MAX_BYTES)[0]) == 37
