"""`iamine pause` and `iamine resume`: the owner takes the machine back, and lends it again."""

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path

from appliance.agent.control import Ask, State, ask, folders
from appliance.agent.errors import AgentError
from appliance.agent.schedule import BadHours, read_length_s
from iamine.paths import data_dir
from iamine.terminal import Terminal

EXIT_OK = 0


class NoAgent(AgentError):
    """There is nobody to ask."""


class BadLength(AgentError):
    """What was given is no length of time."""

    exit_code = 2


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `pause` and `resume`."""
    about = "take this machine back: models leave its memory at once, answers go on at other workers"
    pause = subparsers.add_parser("pause", help=about, description=about)
    pause.add_argument("--for", dest="length", metavar="TIME", help="how long, as in 30m, 2h or 1h30m (default: until resume)")
    pause.set_defaults(run=run_pause)
    about = "end a pause: load the models and work for the pool again"
    resume = subparsers.add_parser("resume", help=about, description=about)
    resume.set_defaults(run=run_resume)
    for parser in (pause, resume):
        parser.add_argument("--data-dir", metavar="DIR", help="the worker's folder, or that of `iamine up` for all its workers")
        parser.add_argument("--json", action="store_true", help="print JSON")


def run_pause(args: argparse.Namespace) -> int:
    """Pause every worker of the folder; when it returns, the memory of their models is free. Raises AgentError."""
    return _tell(args, Ask(ask="pause", for_s=_length_s(args.length)))


def run_resume(args: argparse.Namespace) -> int:
    """End the pause of every worker of the folder. Raises AgentError."""
    return _tell(args, Ask(ask="resume"))


def line(folder: Path, state: State) -> str:
    """How an agent is, for its owner."""
    match state.state:
        case "working":
            return f"{folder}: working"
        case "loading":
            return f"{folder}: loading its models, then it works again"
        case "resting":
            freed = "" if state.freed_s is None else f"; the machine was free after {state.freed_s:.2f} s"
            moved = f", {state.moved} answers went on elsewhere" if state.moved else ""
            return f"{folder}: {state.reason}{freed}{moved}"


def _length_s(text: str | None) -> float | None:
    try:
        return None if text is None else read_length_s(text)
    except BadHours as error:
        raise BadLength(str(error), hint="iamine pause --for 2h") from error


def _tell(args: argparse.Namespace, wanted: Ask) -> int:
    """Ask every agent of the folder, and show what they say."""
    where, out = data_dir(os.environ, args.data_dir).absolute(), Terminal(sys.stdout)
    answers = [(folder, state) for folder in folders(where) if (state := ask(folder, wanted)) is not None]
    if not answers:
        hint = "name the folder it was started with: --data-dir DIR; or start one: iamine worker --auto --pool URL"
        raise NoAgent(f"no worker runs in {where}", hint=hint)
    if args.json:
        out.json({"workers": [{"folder": str(folder), **_fields(state)} for folder, state in answers]})
        return EXIT_OK
    for folder, state in answers:
        out.line(line(folder, state))
    return EXIT_OK


def _fields(state: State) -> dict[str, object]:
    until = None if state.until_s is None else datetime.fromtimestamp(state.until_s).astimezone().isoformat(timespec="seconds")
    told: dict[str, object] = {"state": state.state, "reason": state.reason, "until": until, "pid": state.pid}
    return told if state.freed_s is None else {**told, "freed_s": round(state.freed_s, 3), "moved": state.moved}
