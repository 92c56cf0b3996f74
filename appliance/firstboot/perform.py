"""What the steps do. Each looks first and mends what is missing, so that doing it again is harmless."""

import json
import os
import platform
import pwd
import shutil
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from appliance.firstboot import render, settings
from appliance.firstboot.ownids import give_own_ids
from appliance.firstboot.settings import Problem, Settings
from appliance.firstboot.steps import Step
from appliance.medium import memory, stick
from appliance.medium.files import mounted, sync, write
from appliance.medium.stick import Stick, StickError, tool
from iamine import processor

REPART = "/usr/lib/iamine/repart.d"
MOUNT_OPTIONS = "noatime,nosuid,nodev,noexec"
FSCK_FINE = (0, 1)  # clean, or corrected
OWNER = "iamine"
RECOVERY_UNITS = ("iamine-recovery@tty2.service", "iamine-recovery@ttyS0.service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where things are; tests give others."""

    baked: Path = Path("/usr/lib/iamine/baked.json")
    settings_mount: Path = Path("/run/iamine/settings")
    data: Path = Path("/var/lib/iamine")
    wifi: Path = Path("/var/lib/iwd")
    timesync: Path = Path("/run/systemd/timesyncd.conf.d/iamine.conf")
    worker: Path = Path("/run/iamine/worker.toml")
    mdns: Path = Path("/run/systemd/system/iamine-worker.service.d/mdns.conf")  # after appliance.conf, which forbids it
    mounts: Path = Path("/proc/self/mountinfo")
    cpuinfo: Path = Path("/proc/cpuinfo")
    meminfo: Path = Path("/proc/meminfo")
    unfit: Path = Path("/run/iamine/unfit")
    system: Path = Path("/run/iamine/system")


@dataclass(slots=True)
class Start:
    """One start of the machine: what is known so far, and what a person should know."""

    places: Places
    settings: Settings = field(default_factory=Settings)
    problems: list[Problem] = field(default_factory=list)
    kept: bool = False  # the data partition is there
    recovery: bool = False  # a root shell is open
    in_memory: bool = False  # the stick can be pulled out
    _stick: Stick = field(default_factory=lambda: Stick(""))
    _file: str = ""
    _models: tuple[str, ...] = ()

    @property
    def disk(self) -> str:
        """The stick's disk; "" when it was not found."""
        return self._stick.disk

    def performers(self) -> Mapping[Step, Callable[[], None]]:
        """What does each step. They raise StickError or OSError."""
        return {
            Step.MEDIUM: self.find_medium,
            Step.SETTINGS: self.read_settings,
            Step.IDS: lambda: give_own_ids(self._stick),
            Step.DATA: self.open_data,
            Step.REMEMBER: self.remember,
            Step.BLANK: self.blank,
            Step.HOSTNAME: self.name_host,
            Step.WIFI: self.join_wifi,
            Step.CLOCK: self.set_clock,
            Step.MODELS: self.take_models,
            Step.WORKER: self.configure_worker,
            Step.DISCOVERY: self.allow_discovery,
            Step.PROCESSOR: self.check_processor,
            Step.RECOVERY: self.open_recovery,
            Step.MEMORY: self.move_to_memory,
        }

    def find_medium(self) -> None:
        self._stick = stick.started_from(self.places.mounts.read_text())

    def read_settings(self) -> None:
        with mounted(self._stick.partition(1), self.places.settings_mount) as folder:
            name = settings.file_named(path.name for path in folder.iterdir() if path.is_file())
            models = folder / "models"
            self._models = tuple(sorted(p.name for p in models.glob("*.gguf"))) if models.is_dir() else ()
            if name is None:
                self.problems.append(Problem(code=settings.CODE, message="there is no iamine.toml on the stick"))
                return
            self._file = name
            with (folder / name).open("rb") as file:
                found = settings.read(file.read(settings.MAX_BYTES + 1))
        self.settings = found.settings
        self.problems.extend(found.problems)

    def open_data(self) -> None:
        """Made and grown by systemd-repart, checked, mounted."""
        if self.places.data.is_mount():
            self.kept = True
            return
        told = ""
        try:
            tool("systemd-repart", "--dry-run=no", "--empty=refuse", "--no-pager", f"--definitions={REPART}", self._stick.disk)
        except StickError as error:  # one that is there already is used all the same
            told = str(error)
        device = stick.data_partition(self._stick.disk)
        if device is None:
            raise StickError(told or f"{self._stick.disk} has no room for data")
        tool("udevadm", "settle", "--timeout=60", fine=(0, 1))  # a slow machine is no worn-out stick
        if not tool("blkid", "-p", "-s", "TYPE", "-o", "value", device, fine=(0, 2)).strip():
            tool("mkfs.ext4", "-q", device)  # cut off between the partition and its file system
        tool("fsck.ext4", "-p", device, fine=FSCK_FINE)
        self.places.data.mkdir(parents=True, exist_ok=True)
        tool("mount", "-t", "ext4", "-o", MOUNT_OPTIONS, device, str(self.places.data))
        tool("resize2fs", device)
        self.kept = True

    def remember(self) -> None:
        """A synced copy of the settings, with the secrets; what was blanked in the file comes from the copy."""
        copy = self.places.data / "settings.json"
        try:
            remembered = json.loads(copy.read_bytes())
        except (OSError, ValueError):
            remembered = {}
        self.settings = settings.with_remembered(self.settings, remembered if isinstance(remembered, dict) else {})
        write(copy, json.dumps(asdict(self.settings)).encode() + b"\n", 0o600)

    def blank(self) -> None:
        """The password in the file is emptied once the copy has it."""
        if self.settings.keep_secrets or not self.settings.wifi_password or not self._file:
            return
        self._edit(render.blanked)

    def _edit(self, change: Callable[[str], str]) -> None:
        """The settings file changed on the stick; not written when nothing changes."""
        with mounted(self._stick.partition(1), self.places.settings_mount) as folder:
            text = (folder / self._file).read_bytes().decode("utf-8", "surrogateescape")
        new = change(text)
        if new != text:
            with mounted(self._stick.partition(1), self.places.settings_mount, writable=True) as folder:
                write(folder / self._file, new.encode("utf-8", "surrogateescape"), 0o700)

    def name_host(self) -> None:
        if self.settings.hostname:
            socket.sethostname(self.settings.hostname)

    def join_wifi(self) -> None:
        network = render.iwd_network(self.settings)
        if network is not None:
            write(self.places.wifi / network[0], network[1].encode(), 0o600)

    def set_clock(self) -> None:
        """Not before the last time that this stick saw; time servers go on from there."""
        conf = render.timesyncd_conf(self.settings)
        if conf:
            write(self.places.timesync, conf.encode())
        mark = self.places.data / "clock"
        if mark.exists() and mark.stat().st_mtime > time.time():
            time.clock_settime(time.CLOCK_REALTIME, mark.stat().st_mtime)
        if self.kept:
            mark.touch()

    def take_models(self) -> None:
        """Models from the stick's models/ go to the data partition, each whole or not at all."""
        target, shaders = self.places.data / "models", self.places.data / "shaders"
        target.mkdir(exist_ok=True)
        shaders.mkdir(exist_ok=True)
        owner = pwd.getpwnam(OWNER)
        os.chown(target, owner.pw_uid, owner.pw_gid)
        os.chown(shaders, 0, owner.pw_gid)  # what drivers compile for the engines, whose user is made at each start
        shaders.chmod(0o770)
        if not self._models:
            return
        with mounted(self._stick.partition(1), self.places.settings_mount) as folder:
            for name in self._models:
                source = folder / "models" / name
                if not (target / name).exists() or (target / name).stat().st_size != source.stat().st_size:
                    draft = target / f".{name}.part"
                    shutil.copyfile(source, draft)
                    os.chown(draft, owner.pw_uid, owner.pw_gid)
                    sync(target)
                    draft.replace(target / name)

    def configure_worker(self) -> None:
        """The agent's config lies in memory: it is made anew at every start."""
        baked = json.loads(self.places.baked.read_bytes()) if self.places.baked.exists() else {}
        self.settings = settings.with_baked(self.settings, baked if isinstance(baked, dict) else {})
        write(self.places.worker, render.worker_toml(self.settings, str(self.places.data / "models")).encode())
        if not self.settings.pool:
            advice = 'open iamine.toml on the stick on any computer and write url = "http://HOST:PORT" under [pool]'
            self.problems.append(
                Problem(code="E-POOL", message="no pool is set; one on the local network is looked for", advice=advice)
            )

    def allow_discovery(self) -> None:
        """Only a worker without an address may hear what the local network announces (mDNS)."""
        if not self.settings.pool:
            write(self.places.mdns, b"[Service]\nSocketBindAllow=ipv4:udp:5353\n")
            tool("systemctl", "daemon-reload")

    def check_processor(self) -> None:
        """Told here and not by the worker: its libraries would die of SIGILL without a word."""
        lacking = processor.missing(self.places.cpuinfo.read_text(), platform.machine())
        if lacking:
            write(self.places.unfit, b"")  # the worker's unit is not started then
            raise StickError(f"this processor is too old for the engine: it lacks {', '.join(lacking)} (x86-64-v2 is needed)")

    def open_recovery(self) -> None:
        """A root shell on the second console and the serial line, for this start only."""
        if not self.settings.recovery:
            return
        tool("systemctl", "start", "--no-block", *RECOVERY_UNITS)
        self.recovery = True
        self._edit(render.without_recovery)

    def move_to_memory(self) -> None:
        """The system's file system copied to memory, when there is plenty (or it is wished) and it fits."""
        system = memory.system_of(self.places.mounts.read_text())
        self.in_memory = system.in_memory
        if system.in_memory:
            return
        room = memory.room(self.places.meminfo.read_text())
        if not memory.worth(self.settings.to_memory, system.size_bytes, room):
            if self.settings.to_memory:
                raise StickError(f"the system wants {system.size_bytes >> 20} MiB, {room.available_bytes >> 20} MiB are free")
            return
        memory.copy(system, self.places.system)
        self.in_memory = True
