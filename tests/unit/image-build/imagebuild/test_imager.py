"""The list for Raspberry Pi Imager."""

import json

from imagebuild.imager import Release, os_list


def test_the_imager_can_check_what_it_fetches_and_what_it_writes() -> None:
    release = Release(
        version="1.2",
        date="2026-11-27",
        url="https://pool.example/iamine.img.zst",
        image_bytes=5,
        image_sha256="ab",
        packed_bytes=3,
        packed_sha256="cd",
    )
    (entry,) = json.loads(os_list(release))["os_list"]
    assert entry["url"].endswith(".img.zst") and (entry["extract_size"], entry["extract_sha256"]) == (5, "ab")
    assert (entry["image_download_size"], entry["image_download_sha256"]) == (3, "cd")
    assert entry["init_format"] == "none", "it must not ask for a user or a password"
