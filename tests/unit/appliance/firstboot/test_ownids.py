"""A FAT volume's number."""

from pathlib import Path

from appliance.firstboot.ownids import FAT_BACKUP_SECTOR, FAT_SERIAL_AT, SECTOR_BYTES, _new_fat_serial
from appliance.medium.ids import FAT_SERIALS

OLD = int(FAT_SERIALS["settings"], 16).to_bytes(4, "little")


def volume(path: Path, primary: bytes, backup: bytes) -> Path:
    content = bytearray(b"\xaa" * 8 * SECTOR_BYTES)
    for sector, serial in ((0, primary), (FAT_BACKUP_SECTOR, backup)):
        at = sector * SECTOR_BYTES + FAT_SERIAL_AT
        content[at : at + 4] = serial
    path.write_bytes(content)
    return path


def serials(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return [data[at : at + 4] for at in (FAT_SERIAL_AT, FAT_BACKUP_SECTOR * SECTOR_BYTES + FAT_SERIAL_AT)]


def test_both_places_get_the_same_new_number_and_nothing_else_changes(tmp_path: Path) -> None:
    path = volume(tmp_path / "v", OLD, OLD)
    before = path.read_bytes()
    _new_fat_serial(path, FAT_SERIALS["settings"])
    one, two = serials(path)
    assert one == two != OLD
    assert path.read_bytes().replace(one, OLD) == before


def test_a_number_of_its_own_stays(tmp_path: Path) -> None:
    path = volume(tmp_path / "v", b"mine", b"mine")
    before = path.read_bytes()
    _new_fat_serial(path, FAT_SERIALS["settings"])
    assert path.read_bytes() == before


def test_a_change_that_was_cut_off_after_the_backup_is_finished(tmp_path: Path) -> None:
    path = volume(tmp_path / "v", OLD, b"half")
    _new_fat_serial(path, FAT_SERIALS["settings"])
    one, two = serials(path)
    assert one == two and one not in (OLD, b"half")
