"""GRUB's addresses."""

import struct

import pytest
from imagebuild.bios import CORE_MAX_BYTES, boot_code, core_image
from imagebuild.errors import BuildError


def core(size: int, segment: int = 0x820) -> bytes:
    return b"\x11" * 0x1F4 + struct.pack("<QHH", 1, 2, segment) + b"\x22" * (size - 512)


def test_the_boot_sector_points_at_the_core_and_leaves_the_partition_table() -> None:
    code = boot_code(b"\xcc" * 512, 133120)
    assert len(code) == 440
    assert struct.unpack_from("<Q", code, 0x5C) == (133120,) and code[0x66:0x68] == b"\x90\x90"


def test_the_core_finds_its_second_part() -> None:
    made = core_image(core(1300), 100)
    assert len(made) == 1536
    assert struct.unpack_from("<QHH", made, 0x1F4) == (101, 2, 0x820)


@pytest.mark.parametrize("bad", [core(CORE_MAX_BYTES + 1), core(1024, segment=0)])
def test_what_does_not_fit_or_is_no_core_is_refused(bad: bytes) -> None:
    with pytest.raises(BuildError):
        core_image(bad, 100)
