"""The units under a real systemd: what they may, what they may not, who comes back after a kill. In this order."""

import re
import subprocess
import threading
from pathlib import Path

from conftest import blocks
from guest import Guest
from house import House, wait_for

WORKER, ENGINE = "iamine-worker.service", "iamine-engine.service"
KEY = "/var/lib/iamine/worker/worker.key"
LIMITS = {WORKER: 1.6, ENGINE: 0.8}


def ask(pool: House, text: str = "count from 3 to 7") -> str:
    answer = pool.client(timeout=120.0).chat.completions.create(
        model="mote", messages=[{"role": "user", "content": text}], temperature=0
    )
    return answer.choices[0].message.content or ""


def engine_pid(guest: Guest) -> int:
    """The first engine's number in the guest."""
    return int(guest.run(f"pgrep --parent $(systemctl show --property=MainPID --value {ENGINE})").split()[0])


def in_engine(guest: Guest, command: str) -> str:
    """What a command says in the engine's namespaces, as its user and groups, without any capability."""
    pid = engine_pid(guest)
    who = f"--reuid=$(stat -c %u /proc/{pid}) --regid=$(stat -c %g /proc/{pid})"
    groups = f"--groups=$(sed -n 's/^Groups:[[:space:]]*//p' /proc/{pid}/status | xargs | tr ' ' ,)"
    powerless = f"setpriv {who} {groups} --bounding-set=-all --inh-caps=-all"
    return guest.run(f"nsenter --target {pid} --mount --net -- {powerless} {command} 2>&1 || true")


def test_a_server_that_was_set_up_by_the_book_answers(guest: Guest, pool: House) -> None:
    assert "3 4 5 6 7" in ask(pool)
    guest.until(lambda: "1 done" in guest.show(WORKER, "StatusText"), "its state is told")
    assert 'Status: "linked to' in guest.run(blocks(pool)[2])
    assert guest.run("systemctl --failed --no-legend --plain").strip() == ""
    assert "udev cannot be heard" not in guest.run("journalctl --unit iamine-worker --output cat")


def test_the_exposure_of_each_unit_is_small(guest: Guest) -> None:
    for unit, limit in LIMITS.items():
        said = guest.run(f"systemd-analyze security --no-pager {unit} | tail -n 1")
        found = re.search(rf"{unit}: ([0-9.]+)", said)
        assert found and float(found[1]) <= limit, said
        print(said.strip())


def test_an_engine_is_somebody_else_without_network_and_without_the_key(guest: Guest) -> None:
    worker = guest.show(WORKER, "MainPID")
    pid = engine_pid(guest)
    assert guest.run(f"stat -c %U /proc/{worker}").strip() == "iamine"
    assert guest.run(f"stat -c %u /proc/{pid}") != guest.run(f"stat -c %u /proc/{worker}")
    assert guest.run(f"readlink /proc/{pid}/ns/net") != guest.run(f"readlink /proc/{worker}/ns/net")
    assert guest.run(f"tail -n +3 /proc/{pid}/net/dev | cut -d: -f1").split() == ["lo"]
    assert "Permission denied" in in_engine(guest, f"cat {KEY}")
    assert "Permission denied" in in_engine(guest, "ls /var/lib/iamine/worker")
    assert "Permission denied" not in in_engine(guest, "ls /var/lib/iamine/models")
    assert guest.run(f"stat -c '%a %U' {KEY}").split() == ["600", "iamine"]
    assert "Read-only file system" in in_engine(guest, "touch /var/lib/iamine/models/x")


def test_another_user_cannot_ask_for_engines(guest: Guest) -> None:
    script = "import socket;socket.socket(socket.AF_UNIX).connect('/run/iamine-engine/engine.sock')"
    said = guest.run(f'setpriv --reuid=65534 --clear-groups python3 -c "{script}" 2>&1 || true')
    assert "PermissionError" in said


def test_a_pause_frees_the_memory_at_once(guest: Guest, pool: House) -> None:
    where = "--data-dir /var/lib/iamine/worker --json"
    said = guest.run(f"/opt/iamine/bin/iamine pause {where}")
    freed = re.search(r'"freed_s": ([0-9.]+)', said)
    assert freed and float(freed[1]) < 2.0, said
    assert guest.run(f"pgrep --parent {guest.show(ENGINE, 'MainPID')} || true").strip() == ""
    guest.run(f"/opt/iamine/bin/iamine resume {where}")
    assert "3 4 5 6 7" in ask(pool)


def test_killed_engine_host_and_worker_come_back_and_answers_go_on(guest: Guest, pool: House) -> None:
    host, worker = guest.show(ENGINE, "MainPID"), guest.show(WORKER, "MainPID")
    for victim in ("engine", "host", "worker"):
        told: list[str] = []
        asking = threading.Thread(target=lambda told=told: told.append(ask(pool, "count from 1 to 60")))
        asking.start()
        pid = {"engine": lambda: engine_pid(guest), "host": lambda: host, "worker": lambda: worker}[victim]()
        guest.run(f"kill -KILL {pid}")
        asking.join(180)
        assert told and "57 58 59 60" in told[0], (victim, told)
        assert "3 4 5 6 7" in ask(pool), victim
    assert guest.show(ENGINE, "MainPID") not in (host, "0")
    assert guest.show(WORKER, "MainPID") not in (worker, "0")
    assert len(guest.run("pgrep --full 'engine --fd'").split()) <= 2, "no orphan (pgrep's own shell counts)"


def test_a_restart_of_one_leaves_the_other_running(guest: Guest, pool: House) -> None:
    worker = guest.show(WORKER, "MainPID")
    guest.run(f"systemctl restart {ENGINE}")
    assert "3 4 5 6 7" in ask(pool)
    host = guest.show(ENGINE, "MainPID")
    guest.run(f"systemctl restart {WORKER}")
    assert "3 4 5 6 7" in ask(pool)
    assert guest.show(ENGINE, "MainPID") == host and guest.show(WORKER, "MainPID") != worker


def test_a_key_in_the_credential_store_is_the_workers(guest: Guest, pool: House) -> None:
    before = guest.run("journalctl --unit iamine-worker --output cat | grep -o 'as wrk_[a-z0-9]*' | tail -n 1")
    guest.run(blocks(pool)[3])
    guest.run(f"rm {KEY}")
    guest.run(f"systemctl restart {WORKER}")
    wait_for(lambda: pool.joined() == 1, 60, "joined again")
    assert "3 4 5 6 7" in ask(pool)
    assert guest.run("journalctl --unit iamine-worker --output cat | grep -o 'as wrk_[a-z0-9]*' | tail -n 1") == before
    assert guest.run(f"test -e {KEY} || echo none").strip() == "none"


def test_a_worker_that_hangs_is_killed_by_the_watchdog_and_comes_back(guest: Guest, pool: House) -> None:
    guest.run("mkdir -p /run/systemd/system/iamine-worker.service.d")
    guest.run("printf '[Service]\\nWatchdogSec=6\\n' >/run/systemd/system/iamine-worker.service.d/fast.conf")
    guest.run(f"systemctl daemon-reload; systemctl restart {WORKER}")
    worker = guest.show(WORKER, "MainPID")
    guest.run(f"kill -STOP {worker}")
    guest.until(lambda: guest.show(WORKER, "MainPID") not in (worker, "0"), "another worker")
    assert guest.show(WORKER, "Result") in ("watchdog", "success")
    journal = guest.run("journalctl --unit iamine-worker --output cat --lines 100")
    assert "Failed with result 'watchdog'" in journal
    assert "Fatal Python error: Aborted" in journal, "faulthandler tells where it hung"
    assert "3 4 5 6 7" in ask(pool)


def made_disk(folder: Path) -> Path:
    """A file system with an empty folder models/."""
    (folder / "stick" / "models").mkdir(parents=True)
    disk = folder / "stick.img"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", folder / "stick", disk, "4M"], check=True, capture_output=True)
    return disk


def test_a_removable_disk_with_models_is_looked_through_when_it_is_mounted(guest: Guest, tmp_path: Path) -> None:
    disk = made_disk(tmp_path)
    device = subprocess.run(["losetup", "--find", "--show", disk], check=True, capture_output=True, text=True).stdout.strip()
    number = device.removeprefix("/dev/loop")
    try:
        says_so = f"/sys/devices/virtual/block/loop{number}/removable"  # a loop device says that it is built in
        guest.run(f"echo 1 >/run/one; mount --bind /run/one {says_so}; mknod /dev/loop{number} b 7 {number}")
        guest.run(f"mkdir -p /media/stick; mount -o ro /dev/loop{number} /media/stick")
        told = "/media/stick/models: nothing there is better than what serves"
        guest.until(lambda: told in guest.run("journalctl --unit iamine-worker --output cat --lines 20"), told)
        guest.run(f"umount /media/stick; umount {says_so}")
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def test_only_the_appliances_drop_in_reboots(guest: Guest) -> None:
    source = Path(__file__).parents[2] / "appliance/rootfs/usr/lib/systemd/system/iamine-worker.service.d/appliance.conf"
    lines = [line for line in source.read_text().splitlines() if "ExecStart" not in line and "firstboot" not in line]
    drop_in = "\\n".join(line for line in lines if line and not line.startswith("#"))
    ends = "[Service]\\nExecStart=\\nExecStart=sh -c 'exit 82'\\nType=exec"
    guest.run("mkdir -p /run/systemd/system/iamine-end.service.d")
    guest.run(f'printf "[Service]\\nRestart=always\\nRestartSec=1\\n{ends}\\n" >/run/systemd/system/iamine-end.service')
    guest.run("systemctl daemon-reload; systemctl start iamine-end.service; sleep 3")
    assert int(guest.show("iamine-end.service", "NRestarts")) >= 1, "on a server it is started again"
    guest.run("systemctl stop iamine-end.service")
    guest.run(f'printf "{drop_in}\\n" >/run/systemd/system/iamine-end.service.d/appliance.conf; systemctl daemon-reload')
    guest.run("systemctl start --no-block iamine-end.service || true")
    wait_for(lambda: not Path(f"/proc/{guest.leader}").exists(), 60, "the guest goes down")
