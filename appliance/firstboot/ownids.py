"""A stick's own ids in place of those that every fresh image has; what is its own already stays."""

import os
import secrets
import uuid
from pathlib import Path

from appliance.medium.ids import FAT_SERIALS, NUMBERS, fixed_uuid
from appliance.medium.stick import Stick, table, tool

FAT_SERIAL_AT, FAT_BACKUP_SECTOR, SECTOR_BYTES = 67, 6, 512  # FAT32's boot sector and its copy
_QUIETLY = ("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel")  # the disk is in use; nothing moves


def give_own_ids(stick: Stick) -> None:
    """File systems first, the disk's own id last: it is what says that all of it is done. Raises StickError, OSError."""
    found = table(stick.disk)
    if str(found.get("id", "")).upper() != fixed_uuid("disk"):
        return
    for name, serial in FAT_SERIALS.items():
        _new_fat_serial(Path(stick.partition(NUMBERS[name])), serial)
    system = stick.partition(NUMBERS["system"])
    if tool("blkid", "-p", "-s", "UUID", "-o", "value", system).strip().upper() == fixed_uuid("system-fs"):
        tool("tune2fs", "-f", "-U", "random", system)
    listed = found.get("partitions")
    ids = [str(entry.get("uuid", "")).upper() for entry in listed] if isinstance(listed, list) else []
    for name, number in NUMBERS.items():
        if number <= len(ids) and ids[number - 1] == fixed_uuid(name):
            tool(*_QUIETLY, "--part-uuid", stick.disk, str(number), str(uuid.uuid4()))
    tool(*_QUIETLY, "--disk-id", stick.disk, str(uuid.uuid4()))


def _new_fat_serial(device: Path, fixed: str) -> None:
    """The volume's number, unless it is another than `fixed` already."""
    old = int(fixed, 16).to_bytes(4, "little")
    with device.open("r+b", buffering=0) as volume:
        volume.seek(FAT_SERIAL_AT)
        head = volume.read(4)
        if head != old:
            return
        new = secrets.token_bytes(4)
        for sector in (FAT_BACKUP_SECTOR, 0):
            volume.seek(sector * SECTOR_BYTES)
            content = bytearray(volume.read(SECTOR_BYTES))
            content[FAT_SERIAL_AT : FAT_SERIAL_AT + 4] = new
            volume.seek(sector * SECTOR_BYTES)
            volume.write(bytes(content))
        os.fsync(volume.fileno())
