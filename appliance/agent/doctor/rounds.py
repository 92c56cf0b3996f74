"""What is examined, in the order in which it matters to a person, and within which time."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from appliance.agent.config import Settings
from appliance.agent.doctor import hardware, network, software, system
from appliance.agent.doctor.check import Check
from appliance.agent.doctor.ward import Examination, Once, examined
from appliance.agent.machine import Hardware
from appliance.agent.models import Catalog
from appliance.agent.probe import disk_free_bytes, probe

PROBE_AGAIN = "a driver may hang: dmesg tells; a restart of the machine often helps"
MODELS_LATER = "the files are large or the disk is slow: `iamine models` checks them with progress"
NO_NETWORK = "check the network: ip route, resolvectl status"
REPORT = "look at the disks and the memory (dmesg), then the same command again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who is examined: the settings, where its key and pins lie, the pool to check, and how its models are found."""

    settings: Settings
    key: Path
    pins: Path
    pool: str
    pool_key: str
    at_hand: Callable[[], Catalog]


def examine(subject: Subject) -> Iterator[Check]:
    """All checks, in the order in which they matter, each as soon as those before it are told."""
    chosen, machine, catalog = subject.settings, Once(probe), Once(subject.at_hand)
    wanted = network.Wanted(base=subject.pool, pool_key=subject.pool_key, pins=subject.pins, discover=chosen.discover)
    return examined(
        [
            _one("python", lambda: software.python(sys.version_info[:2])),
            _one("llama.cpp", software.engine, limit_s=software.ENGINE_S + 5),
            Examination(name="models", limit_s=60, look=lambda: software.model_files(catalog()), stuck=MODELS_LATER),
            Examination(name="memory", limit_s=60, look=lambda: _memory(machine(), catalog(), chosen), stuck=PROBE_AGAIN),
            Examination(name="gpu", limit_s=60, look=lambda: _gpus(machine(), chosen), stuck=PROBE_AGAIN),
            Examination(
                name="engine",
                limit_s=2 * software.ENGINE_S + 20,
                look=lambda: software.computes(machine(), use_gpu=chosen.gpu),
                stuck=PROBE_AGAIN,
            ),
            Examination(name="data folder", limit_s=20, look=lambda: _folders(chosen), stuck=REPORT),
            _one("worker key", lambda: system.key(subject.key)),
            _one("clock", lambda: system.clock(datetime.now().astimezone())),
            Examination(name="network", limit_s=45, look=lambda: network.way(wanted), stuck=NO_NETWORK),
            _one("ports", system.ports),
            Examination(name="systemd", limit_s=15, look=system.unit, stuck="systemctl does not answer: look at dmesg"),
        ]
    )


def _one(name: str, look: Callable[[], Check], limit_s: float = 20.0) -> Examination:
    return Examination(name=name, limit_s=limit_s, look=lambda: [look()], stuck=REPORT)


def _memory(machine: Hardware, catalog: Catalog, chosen: Settings) -> Iterator[Check]:
    yield hardware.memory(machine, catalog, use_gpu=chosen.gpu)


def _gpus(machine: Hardware, chosen: Settings) -> Iterator[Check]:
    yield from hardware.gpus(machine, use_gpu=chosen.gpu)
    if chosen.gpu is not False:
        yield from hardware.drivers(machine, os.environ)


def _folders(chosen: Settings) -> Iterator[Check]:
    yield system.folder("data folder", chosen.data_dir, disk_free_bytes)
    if chosen.models_dir.parent != chosen.data_dir:
        yield system.folder("models folder", chosen.models_dir, disk_free_bytes)
