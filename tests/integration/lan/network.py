"""A local network of two hosts on this machine: two network namespaces and a cable between them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[3]


@dataclass
class Host:
    """One of them. Its processes are ended with the network."""

    name: str
    address: str
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def python(self, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
        """Python of this environment on that host; what it writes is in the log."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("IAMINE_", "OPENAI_"))}
        command = ("ip", "netns", "exec", self.name, sys.executable, *arguments)
        with log.open("ab") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, cwd=ROOT, env=environ | {"PYTHONPATH": str(ROOT)})
        self.started.append(process)
        return process

    def unplug(self) -> None:
        """No network but its own loopback, and that down: as a machine is before its network is there."""
        for device in ("lan0", "lo"):
            _ip("-n", self.name, "link", "set", device, "down")
        _ip("-n", self.name, "addr", "flush", "dev", "lan0")

    def plug(self) -> None:
        """The network is there."""
        _ip("-n", self.name, "addr", "add", f"{self.address}/24", "dev", "lan0")
        for device in ("lo", "lan0"):
            _ip("-n", self.name, "link", "set", device, "up")

    def udp_ports(self) -> set[int]:
        """The UDP ports that are open on that host."""
        command = ("ip", "netns", "exec", self.name, "cat", "/proc/net/udp", "/proc/net/udp6")
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        return {int(line.split()[1].rpartition(":")[2], 16) for line in lines if "address" not in line}

    def end(self) -> None:
        """End what was started there."""
        for process in self.started:
            process.kill()
            process.wait(10)


def may_have_one() -> bool:
    """Whether this user may make a network."""
    return os.geteuid() == 0 and subprocess.run(["ip", "netns"], capture_output=True, check=False).returncode == 0


@contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """Two hosts that reach each other and nobody else."""
    ends = [Host(f"iamine-{os.getpid()}-{name}", f"10.77.3.{number}") for number, name in ((1, "a"), (2, "b"))]
    try:
        for host in ends:
            _ip("netns", "add", host.name)
        _ip("-n", ends[0].name, "link", "add", "lan0", "type", "veth", "peer", "name", "lan0", "netns", ends[1].name)
        for host in ends:
            host.plug()
        yield ends[0], ends[1]
    finally:
        for host in ends:
            host.end()
            subprocess.run(["ip", "netns", "del", host.name], check=False, capture_output=True)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
