"""The one command: how sides join it, and how it ends."""

import argparse
import sys
import types
from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from iamine import __version__, cli
from iamine.errors import IamineError

SIDE = "a_side_of_the_command_line"


class Refused(IamineError):
    """For the test."""

    exit_code = 2
    hint = "another way"


def _register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    commands.add_parser("seven").set_defaults(run=lambda _: 7)

    def refuse(_: argparse.Namespace) -> int:
        raise Refused("it cannot be")

    commands.add_parser("refuse").set_defaults(run=refuse)


@pytest.fixture
def side() -> Iterator[EntryPoint]:
    module = types.ModuleType(SIDE)
    module.register = _register  # type: ignore[attr-defined]
    sys.modules[SIDE] = module
    yield EntryPoint("side", f"{SIDE}:register", cli.GROUP)
    del sys.modules[SIDE]


BROKEN = EntryPoint("agent", "no_such_module_here:register", cli.GROUP)


def test_a_side_adds_its_commands(side: EntryPoint) -> None:
    assert cli.run(["seven"], [side]) == 7


def test_a_side_that_does_not_load_leaves_the_others_alone(side: EntryPoint) -> None:
    assert cli.run(["seven"], [BROKEN, side]) == 7


def test_a_command_of_a_side_that_does_not_load_is_explained(side: EntryPoint) -> None:
    with pytest.raises(IamineError, match=r"agent \(No module named 'no_such_module_here'\)") as caught:
        cli.run(["worker"], [BROKEN, side])
    assert "./run setup" in caught.value.hint


def test_help_names_what_does_not_load(side: EntryPoint, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.run(["--help"], [BROKEN, side])
    assert ended.value.code == 0
    assert "not available here: agent" in capsys.readouterr().out


def test_wrong_usage_is_exit_code_2(side: EntryPoint) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.run(["nonsense"], [side])
    assert ended.value.code == 2


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.run(["--version"], [])
    assert capsys.readouterr().out == f"iamine {__version__}\n"


def test_an_error_is_one_line_and_one_hint(side: EntryPoint, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Refused) as caught:
        cli.run(["refuse"], [side])
    assert cli.tell(caught.value) == 2
    assert capsys.readouterr().err == "error: it cannot be\ntry: another way\n"


def test_an_error_without_hint_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.tell(IamineError("no")) == 1
    assert capsys.readouterr().err == "error: no\n"


def test_the_sides_come_by_entry_points(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert "pool" in capsys.readouterr().out
