"""Pure: the ids that every fresh image has, which first boot replaces by the stick's own."""

import uuid

DATA_TYPE = "2f8d1a3e-6b0c-4b8e-9f53-1a2b3c4d5e6f"  # the data partition's type, of our own: nothing mounts it by itself
FAT_SERIALS = {"settings": "1A417E01", "esp": "1A417E02"}
NUMBERS = {"settings": 1, "bios": 2, "esp": 3, "system": 4}


def fixed_uuid(name: str) -> str:
    """The same for every image, in capitals as sfdisk writes it."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.iamine")).upper()
