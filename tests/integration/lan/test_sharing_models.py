"""One machine shares its models, another finds it by mDNS and fetches from it; what is bad is fetched from the next one."""

import hashlib
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.lan.network import Host, may_have_one, two_hosts

pytestmark = pytest.mark.skipif(not may_have_one(), reason="needs root and iproute2 to make two hosts")
CONTENT = random.Random(3).randbytes(3_000_000)
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    with two_hosts() as ends:
        yield ends


def until(true: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


def share(host: Host, folder: Path, content: bytes, port: int) -> Path:
    """A machine there that shares one file under the wanted hash, announced."""
    (folder / "models" / SHA).mkdir(parents=True)
    (folder / "models" / SHA / "wanted.gguf").write_bytes(content)
    log = folder / "log"
    host.python(log, "-m", "iamine", "share", "--data-dir", str(folder), "--port", str(port))
    until(lambda: log.exists() and "announced on the local network" in log.read_text(), log)
    return log


def take(host: Host, tmp_path: Path, *mirrors: str) -> str:
    (tmp_path / "wanted").write_bytes(CONTENT)
    log = tmp_path / "taken"
    script = str(Path(__file__).with_name("take.py"))
    host.python(log, script, str(tmp_path / "here"), str(tmp_path / "wanted"), *mirrors).wait(60)
    return log.read_text()


def test_a_neighbours_models_are_found_and_fetched(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    there, here = hosts
    log = share(there, tmp_path / "there", CONTENT, 8901)
    said = take(here, tmp_path)
    assert f"shares models at http://{there.address}:8901" in said
    assert "landed: True" in said
    assert f"{here.address} takes wanted.gguf" in log.read_text()
    assert 5353 not in here.udp_ports()
    there.started[0].send_signal(signal.SIGINT)
    assert there.started[0].wait(20) == 0


def test_a_mirror_with_a_bad_file_is_named_and_the_neighbour_asked(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    there, here = hosts
    bad, folder = f"http://{here.address}:8902", tmp_path / "bad" / SHA
    folder.mkdir(parents=True)
    (folder / "wanted.gguf").write_bytes(bytes(len(CONTENT)))
    here.python(tmp_path / "web.log", "-m", "http.server", "8902", "--directory", str(tmp_path / "bad"))
    share(there, tmp_path / "good", CONTENT, 8901)
    said = take(here, tmp_path, bad)
    assert f"{bad} serves a bad file" in said
    assert f"wanted.gguf from http://{there.address}:8901" in said
    assert "landed: True" in said
