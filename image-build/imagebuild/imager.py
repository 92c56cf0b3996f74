"""Pure: the list with which Raspberry Pi Imager offers, fetches, checks and flashes the image (its os_list JSON)."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One image, unpacked and packed; `date` as 2026-11-27."""

    version: str
    date: str
    url: str
    image_bytes: int
    image_sha256: str
    packed_bytes: int
    packed_sha256: str


def os_list(release: Release) -> str:
    """The document that `rpi-imager --repo` reads. Without an `init_format` it asks for no user, password or network."""
    entry = {
        "name": f"IAMINE {release.version} for PCs (amd64)",
        "description": "Starts any PC from 2009 or later as a worker of an IAMINE pool; the PC's own disks stay as they are",
        "url": release.url,
        "release_date": release.date,
        "extract_size": release.image_bytes,
        "extract_sha256": release.image_sha256,
        "image_download_size": release.packed_bytes,
        "image_download_sha256": release.packed_sha256,
        "init_format": "none",
        "devices": [],
    }
    return json.dumps({"os_list": [entry]}, indent=1) + "\n"
