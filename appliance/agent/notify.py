"""What systemd is told of this process (sd_notify(3)); without systemd nothing is said."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

PER_WATCHDOG = 3  # beats in the time that systemd waits for one


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """`address` is NOTIFY_SOCKET, "" for none; `watchdog_s` is how long systemd waits for a beat, 0.0 when it does not."""

    address: str = ""
    watchdog_s: float = 0.0

    @property
    def beat_s(self) -> float | None:
        """Seconds between two beats; None when nobody waits for any."""
        return self.watchdog_s / PER_WATCHDOG if self.address and self.watchdog_s else None

    def tell(self, *assignments: str) -> None:
        """As in `tell("READY=1", "STATUS=loading")`. A manager that is gone or busy is none of this process's business."""
        if not self.address:
            return
        data = "\n".join(" ".join(each.splitlines()) for each in assignments).encode()
        place = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.setblocking(False)
            link.sendto(data, place)


def notify(environ: Mapping[str, str], pid: int | None = None) -> Notify:
    """As systemd asked this process (WATCHDOG_PID) to."""
    mine = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid() if pid is None else pid))
    wait_us = environ.get("WATCHDOG_USEC", "") if mine else ""
    return Notify(address=environ.get("NOTIFY_SOCKET", ""), watchdog_s=int(wait_us) / 1e6 if wait_us.isdigit() else 0.0)
