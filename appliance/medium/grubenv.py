"""Pure: GRUB's environment block, 1024 bytes of NAME=VALUE lines padded with #."""

from collections.abc import Mapping

SIZE_BYTES = 1024
_HEAD = "# GRUB Environment Block\n"


def block(values: Mapping[str, str]) -> bytes:
    """The block with these values. Raises ValueError when they do not fit."""
    text = _HEAD + "".join(f"{name}={value}\n" for name, value in values.items())
    if len(text) > SIZE_BYTES:
        raise ValueError(f"{len(text)} bytes are more than a block of GRUB's environment holds")
    return text.encode().ljust(SIZE_BYTES, b"#")


def values(block: bytes) -> dict[str, str]:
    """What a block holds; an empty mapping for something else."""
    text = block.decode("utf-8", "replace")
    if not text.startswith(_HEAD):
        return {}
    pairs = (line.partition("=") for line in text[len(_HEAD) :].splitlines() if not line.startswith("#"))
    return {name: value for name, equals, value in pairs if equals}
