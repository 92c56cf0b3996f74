"""When the system is copied to memory, and how it is found."""

from pathlib import Path

import pytest

from appliance.medium.memory import LEFT_BYTES, Room, room, system_of, worth
from appliance.medium.stick import StickError

MIB, GIB = 1 << 20, 1 << 30


@pytest.mark.parametrize(
    ("wished", "total", "free", "said"),
    [
        (None, 16 * GIB, 15 * GIB, True),
        (None, 4 * GIB, 3 * GIB, False),
        (None, 16 * GIB, 600 * MIB, False),
        (True, 2 * GIB, 300 * MIB + LEFT_BYTES, True),
        (True, 2 * GIB, 300 * MIB + LEFT_BYTES - 1, False),
        (False, 64 * GIB, 60 * GIB, False),
    ],
)
def test_plenty_or_a_wish_and_always_enough_left(wished: bool | None, total: int, free: int, said: bool) -> None:
    assert worth(wished, 300 * MIB, Room(total, free)) is said


def test_the_room_is_read_from_the_kernels_table() -> None:
    assert room("MemTotal:  1000 kB\nMemFree: 5 kB\nMemAvailable:  600 kB\n") == Room(1000 << 10, 600 << 10)


MOUNTS = "30 1 7:0 / /run/live/rootfs/filesystem.squashfs ro,noatime shared:1 - squashfs /dev/loop0 ro\n"


def test_the_systems_loop_device_is_found_with_its_file(tmp_path: Path) -> None:
    loop = tmp_path / "devices/virtual/block/loop0"
    (loop / "loop").mkdir(parents=True)
    (tmp_path / "dev/block").mkdir(parents=True)
    (tmp_path / "dev/block/7:0").symlink_to(loop)
    (loop / "size").write_text("16\n")
    (loop / "loop/backing_file").write_text("/run/live/medium/live/a/filesystem.squashfs\n")
    found = system_of("25 1 0:24 / /sys rw - sysfs sysfs rw\n" + MOUNTS, tmp_path)
    assert (found.loop, found.size_bytes, found.in_memory) == ("/dev/loop0", 8192, False)
    (loop / "loop/backing_file").write_text("/run/iamine/system/filesystem.squashfs\n")
    assert system_of(MOUNTS, tmp_path).in_memory


def test_another_kind_of_root_is_said(tmp_path: Path) -> None:
    for mounts in ("", MOUNTS):
        with pytest.raises(StickError):
            system_of(mounts, tmp_path)
