"""A stick that cannot be written, is pulled out, or sits in a machine too old, with a wrong clock, without a pool."""

from datetime import datetime, timezone
from pathlib import Path

import qemu
from conftest import Starter
from house import House
from starts import BUDGET_S, answer, codes, settings, worker_of


def test_pulled_out_the_worker_goes_on_from_memory_as_itself_and_a_wrong_clock_was_set_by_the_pool(
    image: Path, pool: House, machine: Starter, folder: Path
) -> None:
    stick = qemu.flash(image, folder / "pulled.img")
    qemu.write_settings(stick, settings(pool, "[machine]\r\nto_memory = true\r\nrecovery = true\r\n"))
    vm = machine(stick, memory_mib=2048, clock="2031-05-01T00:00:00")
    own = worker_of(vm)
    vm.type("until grep ahead /run/iamine-clock/clock.json; do sleep 3; done; date +now:%Y")
    year = vm.wait(r"now:(\d+)", cpu_s=BUDGET_S + 150)[1]
    assert int(year) == datetime.now(timezone.utc).year
    vm.pull()
    vm.wait(r"IAMINE not linked: [^\r\n]*problems [^\r\n]*E-STICK", cpu_s=BUDGET_S + 200)
    after = len(vm.serial)
    while "IAMINE worker joined" not in vm.serial[after:]:
        vm.wait(rf"(?s).{{{after}}}.*IAMINE worker joined", cpu_s=BUDGET_S + 250)
    assert f"as {own}" in vm.serial[after:], "the same identity"
    assert "3 4 5" in answer(pool, "count from 3 to 5")
    assert codes(vm) == ["E-STICK", "E-CLOCK"]
    vm.kill()


def test_an_old_processor_a_protected_stick_and_no_pool_are_told(image: Path, machine: Starter, folder: Path) -> None:
    stick = qemu.flash(image, folder / "old.img")
    vm = machine(stick, cpu="core2duo", writable=False)
    vm.wait(r"IAMINE not linked: [^\r\n]*problems [^\r\n]*E-CPU", cpu_s=BUDGET_S)
    assert set(codes(vm)) == {"E-IDS", "E-DATA", "E-POOL", "E-CPU"}
    vm.picture(Path(__file__).parents[2] / "dist" / "test" / "problems.png")
    vm.kill()
