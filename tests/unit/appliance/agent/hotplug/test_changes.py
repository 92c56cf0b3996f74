"""Uevents as kernels send them (PCI and DRM, recorded by their documented form), and what remains of a batch."""

import pytest

from appliance.agent.hotplug.changes import Change, Changes, settled, understood

CARD = "0000:01:00.0"
PCI = {"SUBSYSTEM": "pci", "DEVPATH": f"/devices/pci0000:00/0000:00:01.0/{CARD}", "PCI_SLOT_NAME": CARD, "PCI_CLASS": "30000"}
DRM = {"SUBSYSTEM": "drm", "DEVPATH": f"/devices/pci0000:00/0000:00:01.0/{CARD}/drm/card0", "DEVTYPE": "drm_minor"}


@pytest.mark.parametrize(
    ("uevent", "change"),
    [
        (PCI | {"ACTION": "add"}, Change(CARD, here=True)),
        (PCI | {"ACTION": "bind", "DRIVER": "nvidia"}, Change(CARD, here=True)),
        (PCI | {"ACTION": "unbind"}, Change(CARD, here=False)),
        (PCI | {"ACTION": "remove", "PCI_CLASS": "30200"}, Change(CARD, here=False)),
        (DRM | {"ACTION": "add"}, Change(CARD, here=True)),
        (DRM | {"ACTION": "remove", "DEVPATH": DRM["DEVPATH"].replace("card0", "renderD128")}, Change(CARD, here=False)),
        (DRM | {"ACTION": "add", "DEVPATH": "/devices/gpu/drm/card1"}, Change("/devices/gpu/drm/card1", here=True)),
        (DRM | {"ACTION": "add", "DEVPATH": DRM["DEVPATH"] + "-HDMI-A-1"}, None),  # a monitor's cable
        (DRM | {"ACTION": "change", "HOTPLUG": "1"}, None),
        (PCI | {"ACTION": "add", "PCI_CLASS": "20000"}, None),  # a network card
        (PCI | {"ACTION": "add", "PCI_CLASS": "none"}, None),
        (PCI | {"ACTION": "add", "SUBSYSTEM": "usb"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_what_a_uevent_means(uevent: dict[str, str], change: Change | None) -> None:
    assert understood(uevent) == change


def test_the_last_word_on_a_device_counts() -> None:
    here, gone = Change("a", here=True), Change("a", here=False)
    assert settled([here, gone], ["a"]) == Changes(gone=("a",))
    assert settled([gone, here], ["a"]) == Changes()
    assert settled([gone, here], []) == Changes(came=("a",))
    assert settled([gone, Change("b", here=True)], ["a"]) == Changes(gone=("a",), came=("b",))


def test_what_is_used_cannot_come_and_what_is_not_cannot_go() -> None:
    assert settled([Change("a", here=True), Change("b", here=False)], ["a"]) == Changes()
