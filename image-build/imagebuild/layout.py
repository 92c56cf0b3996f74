"""Pure: where the partitions lie, what they are called, and the fixed ids of a fresh image."""

from dataclasses import dataclass

from appliance.medium.ids import fixed_uuid

SECTOR_BYTES = 512
MIB_SECTORS = (1 << 20) // SECTOR_BYTES
_SIZES_MIB = {"settings": 64, "bios": 1, "esp": 64, "system": 1024}  # two slots of 450 MB and what ext4 needs
_TYPES = {
    "settings": "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7",  # Microsoft basic data: Windows gives the first one a letter
    "bios": "21686148-6449-6E6F-744E-656564454649",
    "esp": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    "system": "BC13C2FF-59E6-4262-A352-B275FD6F7172",  # the boot loader's (Boot Loader Specification): nobody mounts it
}


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition, in sectors."""

    name: str
    start: int
    size: int
    type: str

    @property
    def size_bytes(self) -> int:
        """Its length."""
        return self.size * SECTOR_BYTES

    @property
    def offset_bytes(self) -> int:
        """Where it starts."""
        return self.start * SECTOR_BYTES


def partitions() -> tuple[Partition, ...]:
    """The four of a fresh image, in order; the data partition is made at first boot."""
    placed, start = [], MIB_SECTORS
    for name, size_mib in _SIZES_MIB.items():
        placed.append(Partition(name, start, size_mib * MIB_SECTORS, _TYPES[name]))
        start = placed[-1].start + placed[-1].size
    return tuple(placed)


def total_sectors() -> int:
    """The image's length: the partitions and room for the second partition table."""
    last = partitions()[-1]
    return last.start + last.size + MIB_SECTORS


def sfdisk_script() -> str:
    """What sfdisk reads."""
    lines = ["label: gpt", f"label-id: {fixed_uuid('disk')}", "first-lba: 34"]
    lines += [
        f"start={part.start}, size={part.size}, type={part.type}, name=iamine-{part.name}, uuid={fixed_uuid(part.name)}"
        for part in partitions()
    ]
    return "\n".join(lines) + "\n"
