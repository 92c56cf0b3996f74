"""GRUB's environment block."""

import pytest

from appliance.medium.grubenv import SIZE_BYTES, block, values


def test_a_block_is_as_large_as_grub_wants_it_and_reads_back() -> None:
    said = {"slot": "a", "try": "b", "tries": "3", "iargs": "x=y z"}
    made = block(said)
    assert len(made) == SIZE_BYTES and made.endswith(b"#")
    assert values(made) == said


def test_something_else_is_no_block() -> None:
    assert values(b"\0" * SIZE_BYTES) == {}
    assert values(block({}).replace(b"##", b"x#", 1)) == {}


def test_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match="more than"):
        block({"iargs": "x" * SIZE_BYTES})
