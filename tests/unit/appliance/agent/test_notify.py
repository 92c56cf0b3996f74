"""What systemd hears."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.agent.notify import Notify, notify


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind(str(tmp_path / "notify"))
        link.settimeout(5.0)
        yield link


def test_assignments_arrive_as_one_message_each_on_a_line(manager: socket.socket) -> None:
    notify({"NOTIFY_SOCKET": manager.getsockname()}).tell("READY=1", "STATUS=two\nlines")
    assert manager.recv(1000) == b"READY=1\nSTATUS=two lines"


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind("")  # the kernel chooses an abstract one
        Notify(address="@" + link.getsockname()[1:].decode()).tell("WATCHDOG=1")
        link.settimeout(5.0)
        assert link.recv(1000) == b"WATCHDOG=1"


def test_a_manager_that_does_not_read_holds_up_nobody(manager: socket.socket) -> None:
    told = Notify(address=manager.getsockname())
    for _ in range(10_000):
        told.tell("STATUS=" + "x" * 1000)


def test_without_a_manager_or_with_one_that_is_gone_nothing_happens(tmp_path: Path) -> None:
    notify({}).tell("READY=1")
    Notify(address=str(tmp_path / "gone")).tell("READY=1")


@pytest.mark.parametrize(
    ("environ", "beat_s"),
    [
        ({}, None),
        ({"NOTIFY_SOCKET": "/x"}, None),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "60000000"}, 20.0),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, 20.0),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"}, None),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "60000000"}, None),
    ],
)
def test_it_beats_three_times_as_often_as_it_must_if_it_must(environ: dict[str, str], beat_s: float | None) -> None:
    assert notify(environ, 7).beat_s == beat_s
