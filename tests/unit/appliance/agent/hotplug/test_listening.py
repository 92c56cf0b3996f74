"""A real monitor of pyudev over netlink; uevents are sent as udev's daemon sends them."""

import asyncio
import os
import socket
import struct
from pathlib import Path

import pytest

from appliance.agent.hotplug import Change, listen

pyudev = pytest.importorskip("pyudev")
CARD = "0000:01:00.0"
PATH = f"/devices/pci0000:00/0000:00:01.0/{CARD}"
NETLINK_KOBJECT_UEVENT = 15  # linux/netlink.h
UDEV_GROUP, MAGIC, HEADER = 2, 0xFEEDCAFE, 40  # of libudev, its monitor_netlink_header


def send(**properties: str) -> None:
    """One message of the daemon's kind; only root may."""
    body = b"".join(f"{key}={value}".encode() + b"\0" for key, value in properties.items())
    head = b"libudev\0" + struct.pack(">I", MAGIC) + struct.pack("=III", HEADER, HEADER, len(body)) + bytes(16)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT) as link:
        link.bind((0, 0))
        link.sendto(head + body, (0, UDEV_GROUP))


async def test_a_batch_of_what_the_daemon_tells_comes_when_it_has_settled(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root may speak as udev's daemon")
    lines: list[str] = []
    batches = listen(lines.append, daemon=tmp_path, settle_s=0.2)
    first = asyncio.ensure_future(anext(batches))
    await asyncio.sleep(0.1)
    send(ACTION="add", SUBSYSTEM="net", DEVPATH="/devices/virtual/net/x", SEQNUM="1")
    send(ACTION="unbind", SUBSYSTEM="pci", DEVPATH=PATH, PCI_SLOT_NAME=CARD, PCI_CLASS="30000", SEQNUM="2")
    send(ACTION="remove", SUBSYSTEM="drm", DEVPATH=f"{PATH}/drm/card0", SEQNUM="3")
    assert await asyncio.wait_for(first, 10) == [Change(CARD, here=False)] * 2
    await batches.aclose()
    assert lines == []


async def test_without_a_daemon_the_kernel_itself_is_heard(tmp_path: Path) -> None:
    lines: list[str] = []
    batches = listen(lines.append, daemon=tmp_path / "none", settle_s=0.1)
    first = asyncio.ensure_future(anext(batches))
    await asyncio.sleep(0.1)
    assert not first.done() and lines == []
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await batches.aclose()


async def test_where_nothing_can_be_heard_it_says_so_once_and_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refused(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(pyudev.Monitor, "from_netlink", refused)
    lines: list[str] = []
    assert [batch async for batch in listen(lines.append, daemon=tmp_path)] == []
    assert len(lines) == 1 and "next start" in lines[0]
