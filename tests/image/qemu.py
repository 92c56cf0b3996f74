"""A machine in QEMU, without KVM, started from a stick; limits are CPU seconds, the wall clock depends on neighbours."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from imagebuild.layout import partitions

from appliance.medium import grubenv

Firmware = Literal["bios", "uefi", "secure"]
OVMF = Path("/usr/share/OVMF")
STAGES = (  # what ends each stage of a start, on the serial line
    ("firmware", "IAMINE slot="),
    ("GRUB", "IAMINE stage: kernel"),
    ("kernel and initrd", "IAMINE stage: userland"),
    ("userland", "IAMINE not linked"),
    ("agent", "IAMINE worker joined"),
)
STICK_BYTES = 2 * 1024**3
WALL_S = 1500.0  # for a machine that hangs without using its processor


class TooLong(AssertionError):
    """The budget is spent; the end of the serial line is in the message."""


@dataclass
class Machine:
    """Start it with `start`; `serial` is what came over the serial line so far."""

    folder: Path
    sticks: list[Path]
    firmware: Firmware = "bios"
    memory_mib: int = 1024
    cpu: str = "Nehalem"  # the floor; and QEMU imitates it faster than what is newer
    disks: list[Path] = field(default_factory=list)
    writable: bool = True  # the sticks' write protection is off
    clock: str = ""  # what the machine's clock says at the start, as 2031-01-01T00:00:00; "": the time
    cable_in: bool = True
    process: "subprocess.Popen[bytes] | None" = None
    _spent: float = 0.0
    _marks: dict[str, float] = field(default_factory=dict)

    def start(self) -> "Machine":
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("serial.log", "monitor"):
            (self.folder / name).unlink(missing_ok=True)
        command = ["nice", "-n", "10", "qemu-system-x86_64", *self._board(), *self._firmware(), *self._drives()]
        with (self.folder / "qemu.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        if not self.cable_in:
            while not (self.folder / "monitor").exists():
                time.sleep(0.05)
            self.cable(plugged=False)
        return self

    def _board(self) -> list[str]:
        return [
            "-machine", "q35,smm=on", "-accel", "tcg,thread=multi", "-cpu", self.cpu, "-smp", "1", "-m", str(self.memory_mib),
            "-display", "none", "-vga", "std", *(["-rtc", f"base={self.clock}"] if self.clock else []),
            "-chardev", f"socket,id=com,path={self.folder / 'com'},server=on,wait=off,logfile={self.folder / 'serial.log'}",
            "-serial", "chardev:com",
            "-qmp", f"unix:{self.folder / 'monitor'},server=on,wait=off",
            "-nic", "user,id=net0,model=virtio-net-pci", "-device", "qemu-xhci", "-device", "virtio-rng-pci",
        ]  # fmt: skip

    def _firmware(self) -> list[str]:
        if self.firmware == "bios":
            return []
        code, variables = {"uefi": ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd")}.get(
            self.firmware, ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd")
        )
        shutil.copyfile(OVMF / variables, self.folder / "variables.fd")
        flash = "if=pflash,format=raw"
        return [
            "-global", "driver=cfi.pflash01,property=secure,value=on",
            "-drive", f"{flash},readonly=on,file={OVMF / code}", "-drive", f"{flash},file={self.folder / 'variables.fd'}",
        ]  # fmt: skip

    def _drives(self) -> list[str]:
        found: list[str] = []
        for number, stick in enumerate(self.sticks):
            protected = "" if self.writable else ",readonly=on"
            found += ["-drive", f"if=none,id=stick{number},format=raw,file={stick}{protected}"]
            found += ["-device", f"usb-storage,id=usb{number},drive=stick{number},removable=on,bootindex={number}"]
        for number, disk in enumerate(self.disks):
            found += [
                "-drive",
                f"if=none,id=disk{number},format=raw,file={disk}",
                "-device",
                f"ide-hd,drive=disk{number},bus=ide.{number}",
            ]
        return found

    @property
    def serial(self) -> str:
        path = self.folder / "serial.log"
        return path.read_bytes().decode("utf-8", "replace") if path.exists() else ""

    def wait(self, pattern: str, *, cpu_s: float) -> "re.Match[str]":
        """The pattern's first match on the serial line, within so many CPU seconds of the whole machine."""
        deadline = time.monotonic() + WALL_S
        while True:
            self._mark()
            found = re.search(pattern, self.serial)
            if found:
                return found
            assert self.process is not None
            gone = self.process.poll() is not None
            if gone or self.cpu_s() > cpu_s or time.monotonic() > deadline:
                why = "QEMU ended" if gone else f"{self.cpu_s():.0f} CPU seconds"
                raise TooLong(f"no {pattern!r} after {why}; the end of the serial line:\n{self.serial[-3000:]}")
            time.sleep(0.5)

    def _mark(self) -> None:
        text = self.serial
        for stage, end in STAGES:
            if stage not in self._marks and end in text:
                self._marks[stage] = self.cpu_s()

    def stages(self) -> dict[str, float]:
        """CPU seconds of each stage of the first start, as far as `wait` has seen it."""
        before, found = 0.0, {}
        for stage, _ in STAGES:
            if stage in self._marks:
                found[stage] = round(self._marks[stage] - before, 1)
                before = self._marks[stage]
        return found

    def type(self, line: str) -> None:
        """A line typed on the serial line."""
        with socket.socket(socket.AF_UNIX) as com:
            com.connect(str(self.folder / "com"))
            com.sendall(line.encode() + b"\n")
            time.sleep(1.0)  # what the machine answers meanwhile is in the log

    def pull(self, number: int = 0) -> None:
        """The stick is pulled out."""
        self.monitor("device_del", id=f"usb{number}")

    def cable(self, *, plugged: bool) -> None:
        """The network cable."""
        self.monitor("set_link", name="net0", up=plugged)

    def cpu_s(self) -> float:
        """CPU seconds that QEMU used."""
        assert self.process is not None
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            return self._spent
        self._spent = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return self._spent

    def monitor(self, command: str, **arguments: Any) -> None:
        """One command of QEMU's machine protocol."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(30)
            link.connect(str(self.folder / "monitor"))
            with link.makefile("rw") as lines:
                for each in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                    lines.write(json.dumps(each) + "\n")
                    lines.flush()
                    while "return" not in (answer := json.loads(lines.readline())):
                        assert "error" not in answer, answer

    def picture(self, path: Path) -> Path:
        """What the screen shows, as PNG."""
        self.monitor("screendump", filename=str(path), format="png")
        return path

    def power_off(self) -> None:
        """The button; the machine shuts down in order."""
        self.monitor("system_powerdown")
        assert self.process is not None
        self.process.wait(600)

    def kill(self) -> None:
        """The plug is pulled."""
        if self.process is not None and self.process.poll() is None:
            self.cpu_s()
            self.process.kill()
            self.process.wait(30)


def flash(image: Path, stick: Path) -> Path:
    """A stick of 2 GiB with the image on it."""
    subprocess.run(["cp", "--sparse=always", image, stick], check=True)
    with stick.open("r+b") as file:
        file.truncate(STICK_BYTES)
    return stick


def _part(stick: Path, name: str) -> str:
    return f"{stick}@@{next(part for part in partitions() if part.name == name).offset_bytes}"


def write_settings(stick: Path, text: bytes | str, name: str = "iamine.toml") -> None:
    """What a person does in an editor."""
    content = text if isinstance(text, bytes) else text.encode()
    subprocess.run(["mcopy", "-o", "-i", _part(stick, "settings"), "-", f"::/{name}"], input=content, check=True)


def read_settings(stick: Path, name: str = "iamine.toml") -> str:
    """The file as it is on the stick."""
    command = ["mtype", "-i", _part(stick, "settings"), f"::/{name}"]
    return subprocess.run(command, capture_output=True, check=True).stdout.decode()


def grub_values(stick: Path, **changed: str) -> dict[str, str]:
    """GRUB's environment on the stick, changed first."""
    where = _part(stick, "esp")
    raw = subprocess.run(["mtype", "-i", where, "::/grub/grubenv"], capture_output=True, check=True).stdout
    values = {**grubenv.values(raw), **changed}
    if changed:
        subprocess.run(["mcopy", "-o", "-i", where, "-", "::/grub/grubenv"], input=grubenv.block(values), check=True)
    return values
