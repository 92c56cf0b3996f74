"""`iamine pause` and `iamine resume` as commands, against a socket that answers."""

import argparse
import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from appliance.agent.control import Ask, State, listen
from appliance.agent.pause import BadLength, NoAgent, line, register

RESTING = State(state="resting", reason="paused by its owner", freed_s=0.417, moved=2, pid=7)


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    args = parser.parse_args(arguments)
    return int(args.run(args))


async def run_against(folders: Sequence[Path], *arguments: str) -> list[Ask]:
    """Run the command while an agent answers in each folder; what they were asked."""
    asked: list[Ask] = []

    async def answer(wanted: Ask) -> State:
        asked.append(wanted)
        return RESTING

    listening = [listen(folder, answer, print) for folder in folders]
    for each in listening:
        await each.__aenter__()
    assert await asyncio.to_thread(run, *arguments) == 0
    for each in listening:
        await each.__aexit__(None, None, None)
    return asked


async def test_every_worker_of_the_folder_is_paused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = [tmp_path / "workers" / name for name in "12"]
    for place in places:
        place.mkdir(parents=True)
    asked = await run_against(places, "pause", "--for", "2h", "--data-dir", str(tmp_path))
    assert asked == [Ask(ask="pause", for_s=7200.0)] * 2
    told = capsys.readouterr().out.splitlines()
    assert [row.split(": ", 1)[1] for row in told] == [
        "paused by its owner; the machine was free after 0.42 s, 2 answers went on elsewhere"
    ] * 2


async def test_json_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run_against([tmp_path], "resume", "--json", "--data-dir", str(tmp_path)) == [Ask(ask="resume")]
    assert json.loads(capsys.readouterr().out) == {
        "workers": [
            {
                "folder": str(tmp_path),
                "state": "resting",
                "reason": "paused by its owner",
                "until": None,
                "pid": 7,
                "freed_s": 0.417,
                "moved": 2,
            }
        ]
    }


def test_nobody_to_ask_is_an_error_with_what_to_try(tmp_path: Path) -> None:
    with pytest.raises(NoAgent, match="no worker runs") as caught:
        run("pause", "--data-dir", str(tmp_path))
    assert "--data-dir" in caught.value.hint


def test_a_length_that_is_none_is_an_error_of_usage(tmp_path: Path) -> None:
    with pytest.raises(BadLength, match="90s, 30m, 2h") as caught:
        run("pause", "--for", "soon", "--data-dir", str(tmp_path))
    assert caught.value.exit_code == 2


def test_states_in_words() -> None:
    where = Path("/d")
    assert line(where, State(state="working")) == "/d: working"
    assert line(where, State(state="loading")).startswith("/d: loading")
    assert line(where, State(state="resting", reason="outside its hours")) == "/d: outside its hours"
