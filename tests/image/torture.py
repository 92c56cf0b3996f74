"""`just image-torture`: the plug pulled at random moments of first boots, and a network that comes late.

Each round takes a fresh stick, kills QEMU after a random number of CPU seconds between GRUB and a little after "joined", and
starts the stick again: it must join, as the same worker if it had joined before, and show no problem. A line for each round;
1 when one fails.
"""

import argparse
import random
import re
import sys
import tempfile
import time
from pathlib import Path

import qemu
from house import House, free_port
from starts import BUDGET_S, JOINED, settings

IMAGES = Path(__file__).parents[2] / "dist" / "test"


def main() -> int:
    """0 when every round went well."""
    parser = argparse.ArgumentParser(prog="just image-torture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="first boots to kill (default 20; about 200 CPU seconds each)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the random moments")
    args = parser.parse_args()
    images = sorted(IMAGES.glob("*.img"), key=lambda path: path.stat().st_mtime)
    if not images:
        print("no image: `just image-test -k ids` builds one", file=sys.stderr)
        return 1
    chance = random.Random(args.seed)
    print(f"seed {args.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="iamine-torture-", dir="/var/tmp") as name:
        house = House(Path(name) / "pool", free_port(), workers=0)
        (Path(name) / "pool").mkdir()
        try:
            house.start()
            return torture(images[-1], Path(name), house, chance, args.rounds)
        finally:
            house.end()


def torture(image: Path, folder: Path, house: House, chance: random.Random, rounds: int) -> int:
    """The late network first, which also tells how long a whole start takes."""
    first_s, whole_s = late_network(image, folder, house)
    bad = 0
    for number in range(1, rounds + 1):
        bad += not killed(image, folder, house, chance.uniform(first_s, whole_s * 1.1), number)
    print(f"{rounds - bad} of {rounds} rounds went well", flush=True)
    return 1 if bad else 0


def late_network(image: Path, folder: Path, house: House) -> tuple[float, float]:
    """A start without a network, which then comes. CPU seconds to the kernel and to a picture of a worker that waits."""
    stick = qemu.flash(image, folder / "late.img")
    qemu.write_settings(stick, settings(house, '[worker]\r\nname = "late"\r\n'))
    vm = qemu.Machine(folder=folder / "late", sticks=[stick], cable_in=False).start()
    try:
        vm.wait("IAMINE stage: kernel", cpu_s=BUDGET_S)
        first_s = vm.cpu_s()
        vm.wait(r"IAMINE not linked: [^\r\n]*cannot reach[^\r\n]*address none", cpu_s=BUDGET_S)
        whole_s = vm.cpu_s()
        vm.cable(plugged=True)
        worker = vm.wait(JOINED, cpu_s=BUDGET_S + 100)[1]
        print(f"no network, then network: {worker} joined, {vm.cpu_s() - whole_s:.0f} CPU s after the cable", flush=True)
        return first_s, whole_s
    finally:
        vm.kill()
        stick.unlink()


def killed(image: Path, folder: Path, house: House, at_s: float, number: int) -> bool:
    """One stick killed after `at_s` CPU seconds of its first start and started again."""
    stick = qemu.flash(image, folder / "killed.img")
    qemu.write_settings(stick, settings(house, f'[worker]\r\nname = "killed {number}"\r\n'))
    vm = qemu.Machine(folder=folder / f"first{number}", sticks=[stick]).start()
    while vm.cpu_s() < at_s:
        time.sleep(0.2)
    vm.kill()
    first = vm.serial
    vm = qemu.Machine(folder=folder / f"second{number}", sticks=[stick]).start()
    try:
        worker = vm.wait(JOINED, cpu_s=BUDGET_S)[1]
        seen = set(re.findall(r"as (wrk_[a-z0-9]+)", first))
        problems = vm.wait(r"problems ([^\r\n]*)\r", cpu_s=BUDGET_S + 50)[1]
        fine = seen <= {worker} and problems == "none"
        told = f"{worker} joined, problems {problems}" + ("" if fine else f" BAD: before it was {seen}")
        print(f"{number}: killed after {at_s:.0f} CPU s ({last_line(first)}); {told}", flush=True)
        return fine
    except qemu.TooLong as error:
        print(f"{number}: killed after {at_s:.0f} CPU s ({last_line(first)}); BAD: {error}", flush=True)
        return False
    finally:
        vm.kill()
        stick.unlink()


def last_line(serial: str) -> str:
    """Where it was."""
    lines = [line for line in serial.splitlines() if line.startswith("IAMINE")]
    return lines[-1][:60] if lines else "nothing said yet"


if __name__ == "__main__":
    sys.exit(main())
