"""What is known before anything is loaded: whom to work for, the machine, its models, and what to load."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.agent import probe, verdict
from appliance.agent.config import Settings
from appliance.agent.errors import ConfigError
from appliance.agent.finding import Home, home
from appliance.agent.fit import gigabytes
from appliance.agent.machine import Hardware
from appliance.agent.models import Catalog, scan
from appliance.agent.plan import Plan, how, plan
from appliance.agent.screen import Screen
from appliance.agent.types import ModelFile
from appliance.agent.verdictfile import VerdictFile, build
from appliance.agent.watchdog import FILE_NAME as LADDER_NAME
from appliance.agent.watchdog import Watchdog
from iamine import release


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is known before anything is loaded."""

    home: Home
    machine: Hardware
    files: Sequence[ModelFile]
    book: VerdictFile
    plan: Plan
    watchdog: Watchdog


def prepare(settings: Settings, screen: Screen, *, supervised: bool = False) -> Prepared:
    """Know whom to work for, look at the machine and its files, and decide what to load. Raises AgentError."""
    chosen_home = home(settings, screen.say)
    machine = probe.probe()
    screen.say(describe(machine))
    catalog = at_hand(settings, screen)
    for problem in catalog.problems:
        screen.say(problem)
    watchdog = Watchdog(
        path=settings.data_dir / LADDER_NAME,
        say=screen.say,
        now=time.time,
        supervised=supervised,
        may_reboot=settings.may_reboot,
    )
    allowed = watchdog.allowed(machine)
    book = verdicts(settings, allowed, screen.say)
    chosen = plan(settings, allowed, catalog.files, book.known)
    if chosen.problem:
        raise ConfigError(chosen.problem, hint=chosen.hint)
    for reason in chosen.reasons:
        screen.say(f"chosen {reason}")
    return Prepared(home=chosen_home, machine=machine, files=catalog.files, book=book, plan=chosen, watchdog=watchdog)


def verdicts(settings: Settings, machine: Hardware, say: Callable[[str], None]) -> VerdictFile:
    """What was measured on this machine as it is, with these settings."""
    place = verdict.place(machine, build(machine.engine.folder), how(settings, machine))
    return VerdictFile(settings.data_dir, place, say)


def at_hand(settings: Settings, screen: Screen) -> Catalog:
    """The model files at hand; the progress of hashing big ones is told."""

    def told(path: Path, done: int, total: int) -> None:
        screen.say(f"checking {path.name}: {gigabytes(done)} of {gigabytes(total)}")

    return scan(
        release.current(settings.data_dir, release.today()),
        data_dir=settings.data_dir,
        models_dir=settings.models_dir,
        listed=settings.models,
        on_progress=told,
    )


def describe(machine: Hardware) -> str:
    """The machine in one line."""
    cards = [
        f"{device.name}{'' if device.usable else ' (not used)'}, {gigabytes(device.memory_bytes)}" for device in machine.devices
    ]
    memory = f"{gigabytes(machine.memory.available_bytes)} of {gigabytes(machine.memory.total_bytes)} memory free"
    return f"{machine.cpu.name}, {machine.cpu.cores_usable:g} cores usable, {memory}; {'; '.join(cards) or 'no GPU'}"
