"""Agents without a pool's address on a network with none, one, two and lying pools: real mDNS between two hosts."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iamine.identity import Identity, fingerprint
from iamine.keyfile import load_or_create
from tests.integration.lan.network import Host, may_have_one, two_hosts

pytestmark = pytest.mark.skipif(not may_have_one(), reason="needs root and iproute2 to make two hosts")
FOLDER = Path(__file__).parent
MDNS_PORT = 5353


def key(seed: int) -> str:
    return fingerprint(Identity.from_seed(bytes([seed]) * 32).public_key)


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    with two_hosts() as ends:
        yield ends


def until(true: Callable[[], bool], within_s: float, log: Path) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


def find(host: Host, folder: Path, config: str = "") -> str:
    """What a worker finds and says there."""
    folder.mkdir(exist_ok=True)
    (folder / "worker.toml").write_text(config)
    log = folder / "log"
    log.unlink(missing_ok=True)
    host.python(log, str(FOLDER / "find.py"), str(folder)).wait(60)
    return log.read_text()


def tiny(host: Host, folder: Path, *arguments: str) -> None:
    """A pool there that has been announced."""
    log = folder / f"pool-{arguments[0]}-{arguments[1]}.log"
    host.python(log, str(FOLDER / "tiny.py"), *arguments)
    time.sleep(0.1)


def test_a_worker_without_an_address_joins_the_pool_of_its_network(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    there, here = hosts
    pool_log, log, data = tmp_path / "pool.log", tmp_path / "worker.log", tmp_path / "worker"
    worker = here.python(log, "-m", "iamine", "worker", "--auto", "--data-dir", str(data))
    until(lambda: "looking for one on the local network" in log.read_text(), 60, log)
    there.python(pool_log, "-m", "iamine", "pool", "--host", "0.0.0.0", "--port", "8123", "--data-dir", str(tmp_path / "pool"))
    until(lambda: "linked to IAMINE pool" in log.read_text(), 120, log)
    shows = fingerprint(load_or_create(tmp_path / "pool" / "pool.key").public_key)
    assert f"found the pool 'IAMINE pool' at http://{there.address}:8123, key {shows}: it is taken" in log.read_text()
    kept = json.loads((data / "found-pool.json").read_text())
    assert kept == {"fingerprint": shows, "base": f"http://{there.address}:8123/v1", "name": "IAMINE pool"}
    assert MDNS_PORT in there.udp_ports()
    assert MDNS_PORT not in here.udp_ports()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0


def test_a_pool_that_is_not_to_be_announced_is_not(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    there, _ = hosts
    (tmp_path / "pool.toml").write_text("announce = false")
    log, options = tmp_path / "log", ("--host", "0.0.0.0", "--port", "8123", "--config", str(tmp_path / "pool.toml"))
    there.python(log, "-m", "iamine", "pool", *options, "--data-dir", str(tmp_path / "pool"))
    until(lambda: "serves at" in log.read_text(), 120, log)
    time.sleep(1)
    assert MDNS_PORT not in there.udp_ports()
    assert "announced" not in log.read_text()


def test_of_two_pools_none_is_taken_and_both_are_named(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    there, here = hosts
    tiny(there, tmp_path, "1", "8101", "Physics")
    tiny(there, tmp_path, "2", "8102", "Chemistry")
    time.sleep(2)
    said = find(here, tmp_path / "worker")
    assert "error: there are 2 pools on this network" in said
    for seed, name in ((1, "Physics"), (2, "Chemistry")):
        assert f"'{name}' at http://{there.address}:810{seed}, key {key(seed)}" in said
    assert "pool_key" in said
    assert not (tmp_path / "worker" / "found-pool.json").exists()

    said = find(here, tmp_path / "worker", f'pool_key = "{key(2)}"')
    assert f'home: ["http://{there.address}:8102/v1", "{key(2)}"]' in said


def test_a_pool_that_moved_is_known_by_its_key_and_another_is_not_taken_for_it(
    hosts: tuple[Host, Host], tmp_path: Path
) -> None:
    there, here = hosts
    tiny(there, tmp_path, "1", "8101", "Physics")
    assert f'home: ["http://{there.address}:8101/v1", "{key(1)}"]' in find(here, tmp_path / "worker")
    there.end()
    tiny(there, tmp_path, "2", "8101", "Physics")
    tiny(there, tmp_path, "1", "8109", "Physics moved")
    assert f'home: ["http://{there.address}:8109/v1", "{key(1)}"]' in find(here, tmp_path / "worker")


def test_an_announcement_with_a_strangers_key_is_not_believed(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    there, here = hosts
    tiny(there, tmp_path, "3", "8103", "Liar", "1")
    tiny(there, tmp_path, "1", "8101", "Honest")
    time.sleep(2)
    said = find(here, tmp_path / "worker")
    assert f"'Liar' is announced as a pool with the key {key(1)}, but is none" in said
    assert f'home: ["http://{there.address}:8101/v1", "{key(1)}"]' in said


def test_an_address_that_is_set_is_never_overridden(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    there, here = hosts
    tiny(there, tmp_path, "1", "8101", "Physics")
    said = find(here, tmp_path / "worker", 'pool = "http://10.77.3.9:1"')
    assert said == 'home: ["http://10.77.3.9:1/v1", ""]\n'
    said = find(here, tmp_path / "worker", "discover = false")
    assert "error: no pool is set" in said


def test_a_machine_whose_network_comes_late_finds_its_pool_then(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    there, here = hosts
    here.unplug()
    tiny(there, tmp_path, "1", "8101", "Physics")
    folder = tmp_path / "worker"
    folder.mkdir()
    (log := folder / "log").touch()
    finder = here.python(log, str(FOLDER / "find.py"), str(folder))
    until(lambda: "still looking" in log.read_text(), 60, log)
    here.plug()
    assert finder.wait(60) == 0
    assert f'home: ["http://{there.address}:8101/v1", "{key(1)}"]' in log.read_text()


def test_ctrl_c_ends_a_worker_that_looks_for_a_pool(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    _, here = hosts
    log = tmp_path / "log"
    worker = here.python(log, "-m", "iamine", "worker", "--auto", "--data-dir", str(tmp_path / "worker"))
    until(lambda: "looking for one on the local network" in log.read_text(), 60, log)
    worker.send_signal(signal.SIGINT)
    assert worker.wait(10) == 130
    assert "Traceback" not in log.read_text()
