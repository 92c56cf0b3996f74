"""The stick is found by the mount, whatever else is in the machine."""

from pathlib import Path

import pytest

from appliance.medium.stick import Stick, StickError, started_from, tool

MOUNTS = "25 1 0:24 / /sys rw - sysfs sysfs rw\n31 1 8:{minor} / /run/live/medium ro,noatime - ext4 /dev/sdb4 ro\n"


@pytest.fixture
def sys(tmp_path: Path) -> Path:
    """/sys of a machine with sda and sdb, four partitions each."""
    for number, disk in enumerate(("sda", "sdb")):
        for part in range(1, 5):
            folder = tmp_path / "devices/usb" / disk / f"{disk}{part}"
            folder.mkdir(parents=True)
            (folder / "partition").write_text(f"{part}\n")
            link = tmp_path / "dev/block" / f"8:{number * 16 + part}"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(folder)
        whole = tmp_path / "class/block" / disk
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.symlink_to(tmp_path / "devices/usb" / disk)
        (tmp_path / "dev/block" / f"8:{number * 16}").symlink_to(tmp_path / "devices/usb" / disk)
    return tmp_path


def test_the_second_stick_is_found_as_itself(sys: Path) -> None:
    stick = started_from(MOUNTS.format(minor=20), sys)
    assert stick == Stick("/dev/sdb")
    assert stick.partition(1, sys) == "/dev/sdb1"
    with pytest.raises(StickError, match="no partition 5"):
        stick.partition(5, sys)


def test_a_whole_disk_or_nothing_is_no_stick(sys: Path) -> None:
    with pytest.raises(StickError, match="no partition of a disk"):
        started_from(MOUNTS.format(minor=16), sys)
    with pytest.raises(StickError, match="not mounted"):
        started_from("25 1 0:24 / /sys rw - sysfs sysfs rw\nshort\n", sys)


def test_a_tool_that_fails_says_its_last_words() -> None:
    assert tool("sh", "-c", "echo fine") == "fine\n"
    assert tool("sh", "-c", "exit 1", fine=(0, 1)) == ""
    with pytest.raises(StickError, match="sh ended with 3: no such thing"):
        tool("sh", "-c", "echo first >&2; echo no such thing >&2; exit 3")
    with pytest.raises(StickError, match="it said nothing"):
        tool("false")
