"""Temperatures and power from recorded trees of /sys, and the thread that reads them."""

import threading
from pathlib import Path

import pytest

from appliance.agent.probe.sensors import STALE_S, Sensing, gauges
from appliance.agent.view import Gauge

LAPTOP = {
    "hwmon/hwmon0/name": "coretemp",
    "hwmon/hwmon0/temp1_input": "61000",
    "hwmon/hwmon0/temp2_input": "64500",
    "hwmon/hwmon1/name": "nvme",
    "hwmon/hwmon1/temp1_input": "80000",
    "power_supply/BAT0/type": "Battery",
    "power_supply/BAT0/status": "Discharging",
    "power_supply/BAT0/power_now": "12300000",
}
RADEON = {
    "hwmon/hwmon0/name": "k10temp",
    "hwmon/hwmon0/temp1_input": "55000",
    "hwmon/hwmon1/name": "amdgpu",
    "hwmon/hwmon1/temp1_input": "70000",
    "hwmon/hwmon1/power1_average": "142000000",
}
BOARD = {"thermal/thermal_zone0/type": "cpu-thermal", "thermal/thermal_zone0/temp": "48200"}
ODD = {
    "hwmon/hwmon0/name": "coretemp",
    "hwmon/hwmon0/temp1_input": "0",
    "hwmon/hwmon0/temp2_input": "broken",
    "hwmon/hwmon1/name": "amdgpu",
    "power_supply/BAT0/type": "Battery",
    "power_supply/BAT0/status": "Charging",
    "power_supply/BAT0/power_now": "12300000",
}


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        (LAPTOP, (Gauge(name="CPU", celsius=64.5), Gauge(name="machine", watts=12.3))),
        (RADEON, (Gauge(name="CPU", celsius=55.0), Gauge(name="GPU", celsius=70.0, watts=142.0))),
        (BOARD, (Gauge(name="CPU", celsius=48.2),)),
        (ODD, ()),
        ({}, ()),
    ],
    ids=["laptop", "radeon", "board", "odd", "none"],
)
def test_what_the_kernel_tells(tmp_path: Path, tree: dict[str, str], told: tuple[Gauge, ...]) -> None:
    for name, text in tree.items():
        path = tmp_path / "sys/class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert gauges(tmp_path) == told


def test_a_sensor_that_hangs_holds_up_nobody_and_what_it_said_grows_old() -> None:
    asked, go_on, now = threading.Event(), threading.Event(), [1000.0]
    readings = iter(((Gauge(name="CPU", celsius=50.0),),))

    def source() -> tuple[Gauge, ...]:
        found = next(readings, None)
        if found is None:
            asked.set()
            go_on.wait(20)
        return found or ()

    sensing = Sensing((source,), lambda: now[0], every_s=0.0)
    assert sensing.latest() == ()
    sensing.start()
    assert asked.wait(20)
    assert sensing.latest() == (Gauge(name="CPU", celsius=50.0),)
    now[0] += STALE_S + 1
    assert sensing.latest() == ()
    sensing.close()
    go_on.set()
