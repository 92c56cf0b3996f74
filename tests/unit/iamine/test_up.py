"""What `up` starts, and what it refuses; whole runs are in tests/integration/up."""

import argparse
import socket
import threading
from pathlib import Path

import pytest

from iamine import up
from iamine.local import Address, AddressUnusable
from iamine.lockfile import LockFile

ADDRESS = Address(host="0.0.0.0", port=8001)


def options(data_dir: Path, *arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    up.register(parser.add_subparsers())
    return parser.parse_args(["up", "--data-dir", str(data_dir), *arguments])


def test_the_pool_listens_where_it_was_told(tmp_path: Path) -> None:
    command = up.pool_service(ADDRESS, tmp_path).command
    assert command[1:4] == ("-m", "iamine", "pool")
    assert command[4:] == ("--data-dir", str(tmp_path), "--host", "0.0.0.0", "--port", "8001")


def test_each_worker_has_its_own_folder_and_reaches_the_pool(tmp_path: Path) -> None:
    service = up.worker_service(ADDRESS, tmp_path, 2)
    assert service.command[1:5] == ("-m", "iamine", "worker", "--auto")
    assert "http://127.0.0.1:8001" in service.command
    assert service.cwd == tmp_path / "workers" / "2"


def test_only_the_pool_has_final_exit_codes(tmp_path: Path) -> None:
    assert up.pool_service(ADDRESS, tmp_path).final_codes == {2}
    assert up.worker_service(ADDRESS, tmp_path, 1).final_codes == frozenset()


def test_a_second_up_on_the_same_data_is_refused(tmp_path: Path) -> None:
    lock = LockFile(tmp_path / "up.lock")
    assert lock.try_take()
    with pytest.raises(up.UpError, match="another `iamine up`") as caught:
        up.run(options(tmp_path))
    assert "--data-dir" in caught.value.hint
    lock.release()


def test_a_port_that_a_stranger_has_is_told_at_once(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(AddressUnusable):
            up.wait_for_port(Address(host="127.0.0.1", port=taken.getsockname()[1]), tmp_path)


def test_a_port_that_the_old_pool_is_leaving_is_waited_for(tmp_path: Path) -> None:
    old_pool = LockFile(tmp_path / up.POOL_LOCK)
    assert old_pool.try_take()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = Address(host="127.0.0.1", port=taken.getsockname()[1])
        with pytest.raises(AddressUnusable):
            up.wait_for_port(address, tmp_path, wait_s=0.0)
        threading.Timer(0.05, taken.close).start()
        up.wait_for_port(address, tmp_path)
    old_pool.release()


@pytest.mark.parametrize("workers", ["-1", "1000"])
def test_an_odd_number_of_workers_is_refused(tmp_path: Path, workers: str) -> None:
    with pytest.raises(up.UpError, match="--workers"):
        up.run(options(tmp_path, "--workers", workers))
