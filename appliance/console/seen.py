"""What the console reads of the machine; everything that is absent is a value."""

import fcntl
import json
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path

from appliance.console.view import Machine
from iamine import __version__

START, STATUS = Path("/run/iamine/start.json"), Path("/run/iamine-worker/status.json")
CLOCK = Path("/run/iamine-clock/clock.json")
SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")
NETWORK = Path("/sys/class/net")
EFI, LOCKDOWN = Path("/sys/firmware/efi"), Path("/sys/kernel/security/lockdown")
_SIOCGIFADDR = 0x8915


def report(path: Path) -> Mapping[str, object]:
    """A report's content; nothing while it is not there."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def machine() -> Machine:
    """The machine now."""
    memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines() if ":" in line)
    size_bytes, free_bytes = (int(memory[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    words = dict(word.split("=", 1) for word in Path("/proc/cmdline").read_text().split() if "=" in word)
    return Machine(
        version=__version__,
        hostname=socket.gethostname(),
        addresses=addresses(),
        memory_used_bytes=size_bytes - free_bytes,
        memory_bytes=size_bytes,
        uptime_s=time.monotonic(),
        slot=words.get("iamine.slot", "none"),
        firmware=firmware(),
        synchronized=SYNCHRONIZED.exists(),
    )


def firmware() -> str:
    """How the machine was started; "locked down" is what Secure Boot makes of the kernel."""
    if not EFI.exists():
        return "BIOS"
    try:
        locked = "[none]" not in LOCKDOWN.read_text()
    except OSError:
        locked = False
    return "UEFI, locked down" if locked else "UEFI"


def addresses() -> tuple[str, ...]:
    """The IPv4 addresses of all interfaces but the loopback."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for name in sorted(path.name for path in NETWORK.iterdir() if path.name != "lo"):  # not by netlink: it is forbidden
            try:
                answer = fcntl.ioctl(asked.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
            except OSError:
                continue
            found.append(socket.inet_ntoa(answer[20:24]))
    return tuple(found)
