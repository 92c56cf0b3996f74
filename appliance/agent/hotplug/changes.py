"""Uevents of graphics devices: what each means, and what is left when they have settled. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

DISPLAY_CLASS = 0x03  # PCI base class; https://pcisig.com, PCI Code and ID Assignment Specification
_COME, _GO = frozenset({"add", "bind"}), frozenset({"remove", "unbind"})
_ADDRESS = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_NODE = re.compile(r"/drm/(card|renderD)\d+$")


@dataclass(frozen=True, slots=True)
class Change:
    """A graphics device at this PCI address (or, without one, this path) is `here` now, or not any more."""

    address: str
    here: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be done about what changed: devices in use that are gone, devices that came."""

    gone: tuple[str, ...] = ()
    came: tuple[str, ...] = ()


def understood(uevent: Mapping[str, str]) -> Change | None:
    """The change that a uevent tells of; None for what is none of ours.

    PCI tells of the device and its driver (ACTION=bind), DRM of the nodes that programs open.
    """
    action, path = uevent.get("ACTION", ""), uevent.get("DEVPATH", "")
    if action not in _COME | _GO:
        return None
    match uevent.get("SUBSYSTEM", ""):
        case "pci" if _is_display(uevent.get("PCI_CLASS", "")):
            return Change(uevent.get("PCI_SLOT_NAME") or path, action in _COME)
        case "drm" if _NODE.search(path):
            return Change((_ADDRESS.findall(path) or [path])[-1], action in _COME)
        case _:
            return None


def settled(changes: Iterable[Change], used: Collection[str]) -> Changes:
    """The last word on each address counts; what is `used` cannot come, and what is not cannot go."""
    last = {change.address: change.here for change in changes}
    gone = tuple(address for address, here in last.items() if not here and address in used)
    came = tuple(address for address, here in last.items() if here and address not in used)
    return Changes(gone=gone, came=came)


def _is_display(pci_class: str) -> bool:
    try:
        return int(pci_class, 16) >> 16 == DISPLAY_CLASS
    except ValueError:
        return False
