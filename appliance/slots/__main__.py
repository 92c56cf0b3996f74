"""`python -m appliance.slots`: watch a slot on trial until it is kept, or reboot, which spends a try."""

import json
import subprocess
import sys
import time
from pathlib import Path

from appliance.medium import grubenv
from appliance.medium.files import mounted
from appliance.medium.ids import NUMBERS
from appliance.medium.kept import KEEP, WORKER_DIR, hold
from appliance.medium.stick import started_from
from appliance.slots.verdict import PATIENCE_S, Seen, Verdict, verdict

STATUS, START = Path("/run/iamine-worker/status.json"), Path("/run/iamine/start.json")
REACHED = Path("/var/lib/iamine/pool-reached")
ESP_MOUNT = Path("/run/iamine/esp")
LOOK_EVERY_S = 5.0


def main() -> int:
    """0 when there is nothing on trial, or the slot is kept."""
    words = dict(word.split("=", 1) for word in Path("/proc/cmdline").read_text().split() if "=" in word)
    slot, on_trial = words.get("iamine.slot", ""), words.get("iamine.try", "")
    link_since: float | None = None
    while True:
        seen_link, status = _has_route(), _json(STATUS)
        link_since = link_since or (time.monotonic() if seen_link else None)  # a link that comes and goes blesses nothing
        accepted = bool(status.get("linked"))
        if accepted:
            hold(WORKER_DIR, KEEP)
            if REACHED.parent.is_mount():
                REACHED.touch()
        if not on_trial or on_trial != slot:
            if accepted:
                return 0
        else:
            seen = Seen(
                accepted=accepted,
                engine_ready=bool(status.get("models")),
                pool_reached_before=REACHED.exists(),
                link_s=None if link_since is None else time.monotonic() - link_since,
            )
            match verdict(seen, float(words.get("iamine.patience_s", PATIENCE_S))):
                case Verdict.KEEP:
                    keep(slot)
                    return 0
                case Verdict.GIVE_UP:
                    sys.stderr.write(f"slot {slot} on trial reached no pool: starting again\n")
                    subprocess.run(["systemctl", "reboot"], check=True)
                    return 0
                case Verdict.WATCH:
                    pass
        time.sleep(LOOK_EVERY_S)


def keep(slot: str) -> None:
    """The slot becomes the one that starts; nothing is on trial any more."""
    stick = started_from(Path("/proc/self/mountinfo").read_text())
    with mounted(stick.partition(NUMBERS["esp"]), ESP_MOUNT, writable=True) as folder:
        path = folder / "grub" / "grubenv"
        values = {**grubenv.values(path.read_bytes()), "slot": slot, "try": "", "tries": "0"}
        with path.open("r+b") as file:  # in place: GRUB writes to the blocks that it found
            file.write(grubenv.block(values))
    sys.stderr.write(f"slot {slot} is kept\n")


def _json(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _has_route() -> bool:
    """Whether there is a way out (a default route of IPv4)."""
    lines = Path("/proc/net/route").read_text().splitlines()[1:]
    return any(line.split()[1] == "00000000" for line in lines if len(line.split()) > 1)


if __name__ == "__main__":
    sys.exit(main())
