"""The owner's socket, with real sockets."""

import asyncio
import socket
from pathlib import Path

import pytest

from appliance.agent.control import SOCKET_NAME, AgentSilent, Ask, State, ask, folders, listen

RESTING = State(state="resting", reason="paused", freed_s=0.5, moved=2, pid=7)


class Answerer:
    """Keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Ask] = []

    async def answer(self, wanted: Ask) -> State:
        self.asked.append(wanted)
        return RESTING


def silent(line: str) -> None:
    raise AssertionError(line)


@pytest.mark.parametrize("name", ["short", "long" * 40])
async def test_a_question_is_answered_however_long_the_folders_name(tmp_path: Path, name: str) -> None:
    folder, answerer = tmp_path / name, Answerer()
    folder.mkdir()
    async with listen(folder, answerer.answer, silent):
        assert (folder / SOCKET_NAME).stat().st_mode & 0o777 == 0o600
        assert await asyncio.to_thread(ask, folder, Ask(ask="pause", for_s=60.0)) == RESTING
    assert answerer.asked == [Ask(ask="pause", for_s=60.0)]
    assert ask(folder, Ask(ask="status")) is None


async def test_what_is_no_question_gets_no_answer_and_harms_nobody(tmp_path: Path) -> None:
    answerer = Answerer()
    async with listen(tmp_path, answerer.answer, silent):
        for nonsense in (b"\n", b'{"ask":"explode"}\n', b"x" * 10_000 + b"\n", b""):
            reader, writer = await asyncio.open_unix_connection(tmp_path / SOCKET_NAME)
            writer.write(nonsense)
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
        assert await asyncio.to_thread(ask, tmp_path, Ask(ask="status")) == RESTING
    assert answerer.asked == [Ask(ask="status")]


async def test_a_dead_agents_socket_is_no_agent_and_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / SOCKET_NAME))
    assert folders(tmp_path) == [tmp_path]
    assert ask(tmp_path, Ask(ask="status")) is None
    async with listen(tmp_path, Answerer().answer, silent):
        assert await asyncio.to_thread(ask, tmp_path, Ask(ask="status")) == RESTING


def test_an_agent_that_hangs_is_told_with_what_to_try(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(tmp_path / SOCKET_NAME))
        hanging.listen()
        with pytest.raises(AgentSilent) as caught:
            ask(tmp_path, Ask(ask="status"), patience_s=0.1)
    assert "SIGTERM" in caught.value.hint


async def test_where_no_socket_can_be_made_the_worker_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    async with listen(tmp_path / "none", Answerer().answer, said.append):
        assert "cannot reach" in said[0]


def test_the_workers_of_up_are_found_too(tmp_path: Path) -> None:
    for place in (tmp_path / "workers" / "2", tmp_path / "workers" / "1", tmp_path / "workers" / "none"):
        place.mkdir(parents=True)
        if place.name != "none":
            (place / SOCKET_NAME).touch()
    assert [place.name for place in folders(tmp_path)] == ["1", "2"]
