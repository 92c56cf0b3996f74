"""`iamine status` beside real sockets: the pool's part and the workers of this machine."""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.agent.control import MAX_LINE_BYTES, SOCKET_NAME, Ask, State, listen
from appliance.agent.status import NoPicture, extend
from appliance.agent.view import Line, Problem, Served, View
from iamine import chat
from iamine.client import ClientError

NOWHERE = "http://127.0.0.1:9"  # nobody listens on the discard port
VIEW = View(
    link="linked to home",
    light="green",
    models=(Served(model="mote", kind="chat", slots=1, context_tokens=9),),
    problems=(Problem(at="20:00", text="gone", advice="wait"),),
    lines=tuple(Line(at="20:00:00", text="x" * 400) for _ in range(40)),
)


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers(required=True)
    chat.register(subparsers)
    extend(subparsers)
    args = parser.parse_args(["status", "--pool", NOWHERE, *arguments])
    return int(args.run(args))


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Path]:
    """A data folder with a worker that shows its screen and one of an older release."""
    old = tmp_path / "workers" / "1"
    old.mkdir(parents=True)

    async def shows(wanted: Ask) -> State:
        return State(state="working", pid=7, view=VIEW)

    async def before(wanted: Ask) -> State:
        return State(state="resting", reason="paused", pid=8)

    async with listen(tmp_path, shows, print), listen(old, before, print):
        yield tmp_path


async def test_without_a_pool_the_workers_are_told_and_the_error_is_raised(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ClientError):
        await asyncio.to_thread(run, "--json", "--data-dir", str(folder))
    told = json.loads(capsys.readouterr().out)
    assert told["status"] is None and told["problem"]
    new, old = told["workers"]
    assert (new["state"], new["pid"], new["view"]["link"], len(new["view"]["lines"])) == ("working", 7, "linked to home", 40)
    assert (old["state"], old["reason"], old["view"]) == ("resting", "paused", None)
    assert len(json.dumps(new)) > MAX_LINE_BYTES


async def test_for_people_there_is_a_table_and_the_problems(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ClientError):
        await asyncio.to_thread(run, "--data-dir", str(folder))
    out = capsys.readouterr().out
    assert "mote" in out and "paused" in out and "20:00 gone; wait" in out


async def test_the_screen_as_a_picture(folder: Path) -> None:
    assert await asyncio.to_thread(run, "--data-dir", str(folder), "--svg", str(folder / "p.svg")) == 0
    assert (folder / "p.svg").read_text().startswith("<svg")
    with pytest.raises(NoPicture, match="cannot be written"):
        await asyncio.to_thread(run, "--data-dir", str(folder), "--svg", str(folder / "no" / "p.svg"))


def test_without_workers_there_is_no_picture_and_the_pools_error_stands_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NoPicture):
        run("--data-dir", str(tmp_path), "--svg", str(tmp_path / "p.svg"))
    with pytest.raises(ClientError):
        run("--data-dir", str(tmp_path), "--json")
    assert capsys.readouterr().out == ""


async def test_a_worker_that_answers_nonsense_is_told_as_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"?\n")
        writer.close()

    async with await asyncio.start_unix_server(babble, tmp_path / SOCKET_NAME):
        with pytest.raises(ClientError):
            await asyncio.to_thread(run, "--data-dir", str(tmp_path), "--json")
    assert json.loads(capsys.readouterr().out)["workers"][0]["state"] == "silent"
