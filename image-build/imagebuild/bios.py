"""Pure: GRUB's boot sector and core image with the disk addresses that grub-bios-setup would write (it wants root)."""

import struct

from imagebuild.errors import BuildError
from imagebuild.layout import SECTOR_BYTES

CORE_MAX_BYTES = 1 << 20
BOOT_CODE_BYTES = 440  # the rest of the sector is the protective MBR
_KERNEL_SECTOR = 0x5C  # GRUB_BOOT_MACHINE_KERNEL_SECTOR
_DRIVE_CHECK = 0x66  # GRUB_BOOT_MACHINE_DRIVE_CHECK: a jump that trusts the BIOS's drive number once it is two NOPs
_BLOCKLIST = 0x1F4  # the first entry of diskboot.img: start (u64), length (u16), segment (u16)
_SEGMENT = 0x820


def boot_code(boot: bytes, core_sector: int) -> bytes:
    """The first 440 bytes of the disk, for a core image at `core_sector`."""
    code = bytearray(boot[:SECTOR_BYTES])
    struct.pack_into("<Q", code, _KERNEL_SECTOR, core_sector)
    code[_DRIVE_CHECK : _DRIVE_CHECK + 2] = b"\x90\x90"
    return bytes(code[:BOOT_CODE_BYTES])


def core_image(core: bytes, core_sector: int) -> bytes:
    """The core image, padded to whole sectors, that finds its own second part. Raises BuildError when it is no such image."""
    padded = bytearray(core + bytes(-len(core) % SECTOR_BYTES))
    if len(padded) > CORE_MAX_BYTES:
        raise BuildError(f"GRUB's core image has {len(core)} bytes, the partition for it {CORE_MAX_BYTES}")
    *_, segment = struct.unpack_from("<QHH", padded, _BLOCKLIST)
    if segment != _SEGMENT:
        raise BuildError(f"GRUB's core image begins with another block list than expected (segment {segment:#x})")
    struct.pack_into("<QHH", padded, _BLOCKLIST, core_sector + 1, len(padded) // SECTOR_BYTES - 1, segment)
    return bytes(padded)
