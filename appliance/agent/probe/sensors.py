"""Temperatures and power, as the kernel and NVML tell them; what nobody tells is left out.

The kernel's files are what psutil would read. Reading may take long where a driver is ill, so a thread of its own does it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from appliance.agent.probe import nvidia
from appliance.agent.probe.files import number, read
from appliance.agent.view import Gauge

EVERY_S = 5.0
STALE_S = 30.0
PROCESSORS = {"coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "soc_thermal"}
GRAPHICS = {"amdgpu", "nouveau", "xe", "i915", "radeon"}
ZONES = ("x86_pkg_temp", "cpu-thermal", "cpu_thermal", "soc-thermal")
LEAST_CELSIUS, MOST_CELSIUS = 1.0, 150.0  # outside of this a sensor is not connected


def gauges(root: Path) -> tuple[Gauge, ...]:
    """The processor, each graphics device and the battery that is being emptied, as /sys under `root` tells them."""
    chips = [(read(folder / "name") or "", folder) for folder in sorted((root / "sys/class/hwmon").glob("hwmon*"))]
    hottest = max((heat for name, folder in chips if name in PROCESSORS for heat in _heats(folder)), default=_zone(root))
    found = [] if hottest is None else [Gauge(name="CPU", celsius=hottest)]
    for name, folder in chips:
        heat, watts = next(_heats(folder), None), _watts(folder)
        if name in GRAPHICS and (heat is not None or watts is not None):
            found.append(Gauge(name="GPU", celsius=heat, watts=watts))
    return (*found, *_battery(root))


def _heats(folder: Path) -> Iterator[float]:
    for path in sorted(folder.glob("temp*_input")):
        if (heat := _celsius(path)) is not None:
            yield heat


def _celsius(path: Path) -> float | None:
    """The kernel tells thousandths."""
    told = number(path)
    return told / 1000 if told is not None and LEAST_CELSIUS <= told / 1000 <= MOST_CELSIUS else None


def _zone(root: Path) -> float | None:
    """Where there is no sensor chip: the thermal zone of the processor."""
    zones = [path for path in sorted((root / "sys/class/thermal").glob("thermal_zone*")) if read(path / "type") in ZONES]
    return next((heat for path in zones if (heat := _celsius(path / "temp")) is not None), None)


def _watts(folder: Path) -> float | None:
    """The kernel tells millionths."""
    told = next((found for name in ("power1_average", "power1_input") if (found := number(folder / name)) is not None), None)
    return told / 1e6 if told else None


def _battery(root: Path) -> Iterator[Gauge]:
    """What the whole machine takes, which a battery knows while it is being emptied."""
    for folder in sorted((root / "sys/class/power_supply").glob("*")):
        if (
            read(folder / "type") == "Battery"
            and read(folder / "status") == "Discharging"
            and (told := number(folder / "power_now"))
        ):
            yield Gauge(name="machine", watts=told / 1e6)


class Sensing:
    """Reads every few seconds in a thread that holds up nobody; `latest` is what it found, empty when that is old."""

    def __init__(
        self,
        sources: tuple[Callable[[], tuple[Gauge, ...]], ...],
        clock: Callable[[], float] = time.monotonic,
        every_s: float = EVERY_S,
    ) -> None:
        self._sources, self._clock, self._every_s = sources, clock, every_s
        self._found: tuple[float, tuple[Gauge, ...]] = (0.0, ())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="sensors")

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """Read no more; a reading that hangs is not waited for."""
        self._stop.set()

    def latest(self) -> tuple[Gauge, ...]:
        """What was read last."""
        read_s, found = self._found
        return found if self._clock() - read_s <= STALE_S else ()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._found = (self._clock(), tuple(gauge for source in self._sources for gauge in source()))
            self._stop.wait(self._every_s)


def here(*, nvml: bool) -> Sensing:
    """This machine's sensors; NVIDIA's cards too where NVML is known to answer."""

    def kernel() -> tuple[Gauge, ...]:
        return gauges(Path("/"))

    return Sensing((kernel, nvidia.gauges) if nvml else (kernel,))
