"""NVML's answers become values, whatever it does not tell."""

from types import SimpleNamespace
from typing import Any

import pytest

from appliance.agent.probe.nvidia import ask, gauges, pci_address
from appliance.agent.view import Gauge


class FakeNvml:
    """Two cards, the second of them old; or an error of the driver at one of its calls."""

    NVML_CLOCK_MEM = 2
    NVML_TEMPERATURE_GPU = 0

    class NVMLError(Exception):
        pass

    def __init__(self, fails_at: str = "") -> None:
        self._fails_at = fails_at
        self.open = False

    def nvmlInit(self) -> None:  # noqa: N802
        self._fail("init")
        self.open = True

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open = False

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        return "580.95"

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetPciInfo(self, handle: int) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(busId=b"00000000:0A:00.%d" % handle)

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:  # noqa: N802
        self._fail("memory")
        return SimpleNamespace(total=10 + handle, free=5)

    def nvmlDeviceGetName(self, handle: int) -> str | bytes:  # noqa: N802
        return b"Old" if handle else "New"

    def nvmlDeviceGetCudaComputeCapability(self, handle: int) -> tuple[int, int]:  # noqa: N802
        return (6, 1) if handle else (8, 9)

    def nvmlDeviceGetMemoryBusWidth(self, handle: int) -> int:  # noqa: N802
        if handle:
            raise FakeNvml.NVMLError("not supported")
        return 384

    def nvmlDeviceGetMaxClockInfo(self, handle: int, kind: int) -> int:  # noqa: N802
        return 10501

    def nvmlDeviceGetTemperature(self, handle: int, kind: int) -> int:  # noqa: N802
        self._fail("heat")
        return 60 + handle

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        if handle:
            raise FakeNvml.NVMLError("not supported")
        return 142_300

    def _fail(self, where: str) -> None:
        if where == self._fails_at:
            raise FakeNvml.NVMLError(where)


def test_cards_are_told_with_their_addresses() -> None:
    nvml: Any = FakeNvml()
    new, old = ask(nvml).devices
    assert (new.address, new.name, new.memory_bytes, new.capability, new.bus_bits) == ("0000:0a:00.0", "New", 10, (8, 9), 384)
    assert (old.address, old.name, old.memory_bytes, old.capability, old.bus_bits) == ("0000:0a:00.1", "Old", 11, (6, 1), 0)
    assert not nvml.open


@pytest.mark.parametrize("where", ["init", "memory"])
def test_a_driver_that_fails_is_a_problem_and_not_an_error(where: str) -> None:
    nvml: Any = FakeNvml(where)
    answer = ask(nvml)
    assert (answer.devices, answer.problem) == ((), where)
    assert not nvml.open


def test_addresses_are_those_of_the_bus() -> None:
    assert pci_address("00000001:C1:00.0") == "0001:c1:00.0"


@pytest.mark.parametrize(
    ("fails_at", "told"),
    [
        ("", (Gauge(name="GPU", celsius=60.0, watts=142.3), Gauge(name="GPU", celsius=61.0))),
        ("heat", (Gauge(name="GPU", watts=142.3), Gauge(name="GPU"))),
        ("init", ()),
    ],
)
def test_heat_and_power_as_far_as_they_are_told(fails_at: str, told: tuple[Gauge, ...]) -> None:
    nvml: Any = FakeNvml(fails_at)
    assert gauges(nvml) == told
    assert not nvml.open
