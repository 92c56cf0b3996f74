"""Which mounted disks are looked at: removable ones with a folder `models`, and no others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.agent.hotplug.disks import Folders, is_removable, model_folders, mounted

MOUNTINFO = r"""22 1 8:2 / / rw,relatime - ext4 /dev/sda2 rw
24 22 0:21 / /proc rw - proc proc rw
36 22 8:17 / {folder}/ada\040stick rw,nosuid shared:1 - vfat /dev/sdb1 rw
37 22 8:3 / {folder}/inside rw - ext4 /dev/sda3 rw
38 22 8:33 /models {folder}/bound rw - ext4 /dev/sdc1 rw
39 22 0:50 / {folder}/net rw - nfs host:/x rw
40 22 8:49 / {folder}/empty rw - vfat /dev/sdd1 rw
broken
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    for name in ("ada stick", "inside", "bound", "net"):
        (tmp_path / name / "models").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "mountinfo").write_text(MOUNTINFO.replace("{folder}", str(tmp_path)))
    return tmp_path / "mountinfo"


def test_whole_file_systems_on_block_devices_are_listed(mounts: Path) -> None:
    found = dict(mounted(mounts.read_text()))
    assert list(found) == ["8:2", "8:17", "8:3", "8:49"]
    assert found["8:17"] == mounts.parent / "ada stick"


def test_only_removable_ones_with_a_models_folder_count(mounts: Path) -> None:
    asked: list[str] = []

    def removable(device: str) -> bool:
        asked.append(device)
        return device != "8:3"

    assert model_folders(mounts, removable) == (mounts.parent / "ada stick" / "models",)
    assert "8:2" not in asked, "the system's own disk is not even asked, though a stick is removable"
    assert model_folders(mounts.parent / "none", removable) == ()


def test_a_folder_is_new_once_and_again_when_it_comes_back() -> None:
    here: list[tuple[Path, ...]] = [(), (Path("a"),), (Path("a"), Path("b")), (Path("b"),), (Path("a"), Path("b"))]
    folders = Folders(look=lambda: here.pop(0))
    assert [folders.new() for _ in range(5)] == [(), (Path("a"),), (Path("b"),), (), (Path("a"),)]


@pytest.fixture
def block(tmp_path: Path) -> Callable[[str, str], Path]:
    """Makes /sys/dev/block/DEVICE -> a partition of a disk at that path."""

    def made(device: str, disk: str) -> Path:
        partition = tmp_path / "devices" / disk / "part1"
        partition.mkdir(parents=True)
        (tmp_path / "block").mkdir(exist_ok=True)
        (tmp_path / "block" / device).symlink_to(partition)
        return partition

    return made


def test_a_disk_on_usb_or_that_says_so_is_removable(tmp_path: Path, block: Callable[[str, str], Path]) -> None:
    block("8:1", "pci0000:00/0000:00:14.0/usb2/2-1/block/sda")
    (block("8:17", "pci0000:00/ata1/block/sdb").parent / "removable").write_text("0\n")
    (block("179:1", "platform/mmc0/block/mmcblk0").parent / "removable").write_text("1\n")
    found = [is_removable(device, tmp_path / "block") for device in ("8:1", "8:17", "179:1", "8:99")]
    assert found == [True, False, True, False]
