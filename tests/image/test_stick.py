"""One stick's life under BIOS with 1 GiB: first start, an answer, a changed file, a broken slot. In this order."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import qemu
from conftest import Starter
from house import House, wait_for
from starts import ANSWER_S, BUDGET_S, MEMORY_GATE_MB, MOTE_MB, answer, codes, memory_mb, settings, worker_of

TESTED = Path(__file__).parents[2] / "dist" / "test"
EXPOSED = {"iamine-worker.service": 1.6, "iamine-engine.service": 0.8}  # the most that systemd-analyze may find


def test_first_start_joins_and_answers_and_leaves_other_disks_alone(
    stick: Path, pool: House, machine: Starter, folder: Path
) -> None:
    foreign = folder / "foreign.img"
    foreign.write_bytes(b"not yours" * 100_000)
    with foreign.open("r+b") as file:
        file.truncate(64 << 20)
    before = hashlib.sha256(foreign.read_bytes()).hexdigest()
    wifi = '[wifi]\r\nssid = "x"\r\npassword = "12345678" # mine\r\n'
    qemu.write_settings(stick, b"\xef\xbb\xbf" + settings(pool, wifi).encode())
    vm = machine(stick, disks=[foreign])
    vm.wait("IAMINE slot=a", cpu_s=60)
    (folder / "worker").write_text(worker_of(vm))
    print(f"\n  CPU seconds to joined: {vm.stages()}, in all {sum(vm.stages().values()):.0f}")
    (folder / "picture.png").unlink(missing_ok=True)
    assert "3 4 5 6 7" in answer(pool, "count from 3 to 7")
    vm.wait(r"IAMINE worker joined: [^\r\n]* done 1 [^\r\n]*problems ([^\r\n]*)\r", cpu_s=BUDGET_S + 60)
    assert codes(vm) == []
    print(f"  memory in use: {memory_mb(vm)} MB, without mote about {memory_mb(vm) - MOTE_MB} MB")
    assert memory_mb(vm) - MOTE_MB <= MEMORY_GATE_MB
    shutil.copyfile(vm.picture(folder / "screen.png"), TESTED / "screen.png")
    vm.power_off()
    assert hashlib.sha256(foreign.read_bytes()).hexdigest() == before
    kept = qemu.read_settings(stick)
    assert 'password = "" # mine' in kept and f":{pool.port}" in kept


def test_the_stick_has_ids_of_its_own(stick: Path, image: Path) -> None:
    one, two = (
        json.loads(subprocess.run(["sfdisk", "--json", str(each)], capture_output=True, check=True).stdout)
        for each in (image, stick)
    )
    fresh, used = one["partitiontable"], two["partitiontable"]
    assert fresh["id"] != used["id"]
    for part, own in zip(fresh["partitions"], used["partitions"], strict=False):
        assert part["uuid"] != own["uuid"] and part["start"] == own["start"] and part["size"] == own["size"]
    data = used["partitions"][4]
    assert data["name"] == "iamine-data" and data["size"] * 512 > 700 << 20


def test_under_secure_boot_a_new_stick_beside_a_used_one_keeps_to_itself(
    stick: Path, image: Path, pool: House, machine: Starter, folder: Path
) -> None:
    used = hashlib.sha256(stick.read_bytes()).hexdigest()
    new = qemu.flash(image, folder / "new.img")
    qemu.write_settings(new, settings(pool), name="iamine.toml.txt")
    subprocess.run(["mdel", "-i", f"{new}@@1M", "::/iamine.toml"], check=True)
    qemu.grub_values(new, **{"iargs": "iamine.selftest", "try": "a", "tries": "3"})  # on trial, as after an update
    vm = machine(new, stick, firmware="secure")
    own = worker_of(vm)
    print(f"\n  CPU seconds to joined: {vm.stages()}, in all {sum(vm.stages().values()):.0f}")
    assert own != (folder / "worker").read_text()
    assert "UEFI, locked down" in vm.serial
    assert answer(pool, "hello")
    vm.wait("SELFTEST end", cpu_s=BUDGET_S + 200)
    told = dict(re.findall(r"SELFTEST ([\w.-]+):([^\r\n]*)", vm.serial))
    print(told)
    assert told["failed"].strip() == "", told.get("why")
    listening = set(zip(*[iter(told["listening"].split())] * 2, strict=True))
    assert {port for kind, port in listening if not port.startswith("127.")} <= {"10.0.2.15%enp0s2:68"}, "DHCP's answers only"
    assert told["swap"].split() == ["/dev/zram0"]
    disks = {device.rstrip("0123456789") for device in told["mounts"].split() if device.startswith("/dev/sd")}
    assert len(disks) == 1, "nothing but its own stick"
    for unit, most in EXPOSED.items():
        found = re.search(r"([0-9.]+) (?:OK|SAFE|PERFECT|MEDIUM|EXPOSED|UNSAFE)", told[f"exposure.{unit}"])
        assert found and float(found[1]) <= most, (unit, told[f"exposure.{unit}"])
    wait_for(lambda: qemu.grub_values(new)["try"] == "", ANSWER_S, "the slot is kept")
    vm.kill()
    assert hashlib.sha256(stick.read_bytes()).hexdigest() == used


def test_a_broken_slot_is_left_after_three_tries_and_a_partly_wrong_file_taken_as_far_as_it_goes(
    stick: Path, pool: House, machine: Starter, folder: Path
) -> None:
    qemu.grub_values(stick, **{"try": "b", "tries": "3"})  # slot b is empty
    wrong = "[machine]\r\nhostname = attic\r\ncolour = 3\r\nrecovery = true # once\r\n[worker]\r\nname = 'attic'\r\n"
    qemu.write_settings(stick, settings(pool, wrong))
    vm = machine(stick)
    for left in ("2", "1", "0"):
        vm.wait(rf"IAMINE slot=b try=b tries={left}", cpu_s=120)
    vm.wait(r"IAMINE slot=a try= ", cpu_s=120)
    vm.wait("IAMINE recovery: a root shell", cpu_s=BUDGET_S)
    wait_for(lambda: pool.joined() == 1, ANSWER_S, "the same worker joins while a shell is open")
    vm.type("echo uid $(id -u), $(grep -o 'iamine.slot=.' /proc/cmdline), $(grep -o E-[A-Z]* /run/iamine/start.json)")
    vm.wait(r"uid 0, iamine.slot=a, E-SETTINGS E-SETTINGS", cpu_s=BUDGET_S + 100)
    vm.type("cat /run/iamine-worker/status.json")
    assert vm.wait(r"as (wrk_[a-z0-9]+)", cpu_s=BUDGET_S + 100)[1] == (folder / "worker").read_text(), "the same identity"
    assert "recovery = false # once" in qemu.read_settings(stick), "for one start only"
    assert qemu.grub_values(stick)["slot"] == "a"
    vm.kill()


def test_a_slot_on_trial_that_reaches_no_pool_spends_its_tries(stick: Path, machine: Starter) -> None:
    qemu.write_settings(stick, '[pool]\r\nurl = "http://10.0.2.2:9"\r\n')
    qemu.grub_values(stick, **{"iargs": "iamine.patience_s=1", "try": "a", "tries": "2"})  # it has reached a pool before
    vm = machine(stick)
    vm.wait("IAMINE slot=a try=a tries=1", cpu_s=60)
    vm.wait("IAMINE slot=a try=a tries=0", cpu_s=BUDGET_S + 100)
    vm.kill()
