"""`iamine status`: the pool, and beside it the workers of this machine as their own screens show them."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from appliance.agent.control import AgentSilent, Ask, State, ask, folders
from appliance.agent.errors import AgentError
from appliance.agent.screen import picture
from appliance.agent.view import claim_line
from iamine import chat
from iamine.client import ClientError
from iamine.paths import data_dir
from iamine.terminal import Terminal

Worker = tuple[Path, State | AgentSilent]  # its folder, and how it is or why it does not say
EXIT_OK = 0
ASK_S = 3.0
PICTURE_COLUMNS, PICTURE_ROWS = 80, 25


class NoPicture(AgentError):
    """There is no worker's screen to draw, or no place to put it."""


def extend(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Let `status` tell of this machine's workers too."""
    parser = subparsers.choices["status"]
    parser.description = "how the pool is, and the workers of this machine"
    parser.add_argument("--svg", metavar="FILE", type=Path, help="write the screen of this machine's first worker as a picture")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Tell both; without a pool the workers are still told, and then what is wrong. Raises ClientError, AgentError."""
    workers = list(local(data_dir(os.environ, args.data_dir).absolute()))
    if args.svg:
        return draw(workers, args.svg)
    out = Terminal(sys.stdout)
    try:
        status, models = chat.pool_status(args)
    except ClientError as error:
        if workers:
            problem: dict[str, object] = {"status": None, "models": [], "problem": error.message}
            show(out, workers, problem, as_json=args.json)
        raise
    if not args.json:
        chat.show_status(out, status, models)
    show(out, workers, {"status": status, "models": models}, as_json=args.json)
    return EXIT_OK


def local(folder: Path) -> Iterator[Worker]:
    """The workers of this folder, or what is wrong with asking them."""
    for place in folders(folder):
        try:
            state = ask(place, Ask(ask="status"), patience_s=ASK_S)
        except AgentSilent as error:
            yield place, error
        else:
            if state is not None:
                yield place, state


def show(out: Terminal, workers: Sequence[Worker], pool: dict[str, object], *, as_json: bool) -> None:
    """As JSON with the pool's part, or a table of the workers with their problems below."""
    if as_json:
        out.json({**pool, "workers": [{"folder": str(folder), **fields(state)} for folder, state in workers]})
        return
    if workers:
        out.table(("worker here", "state", "model", "now", "link"), [row(folder, state) for folder, state in workers])
    for folder, state in workers:
        if isinstance(state, State) and state.view and state.view.claim:
            out.line(
                f"{folder}: {claim_line(state.view.claim)}"
                if state.view.claim.owner
                else f"{folder}: to claim it, {claim_line(state.view.claim)}"
            )
        if isinstance(state, State) and state.view and state.view.course:
            out.line(f"{folder}: {state.view.course}", "dim")
        for problem in state.view.problems if isinstance(state, State) and state.view else ():
            out.line(f"{problem.at} {problem.text}" + (f"; {problem.advice}" if problem.advice else ""), "yellow")


def fields(state: State | AgentSilent) -> dict[str, object]:
    """What a program is told of a worker; `view` is what its screen shows, null from a worker of an older release."""
    if isinstance(state, AgentSilent):
        return {"state": "silent", "reason": state.message, "until": None, "pid": None, "view": None}
    until = None if state.until_s is None else datetime.fromtimestamp(state.until_s).astimezone().isoformat(timespec="seconds")
    return {"state": state.state, "reason": state.reason, "until": until, "pid": state.pid, "view": state.view}


def row(folder: Path, state: State | AgentSilent) -> tuple[str, ...]:
    """One line about a worker."""
    if isinstance(state, AgentSilent):
        return str(folder), "silent", "-", "-", state.message
    view = state.view
    if view is None:
        return str(folder), state.state, "-", "-", state.reason
    models = ", ".join(each.model for each in view.models) or "-"
    return str(folder), state.state, models, f"{view.running} running, {view.rate_tps:.1f} tokens/s", state.reason or view.link


def draw(workers: Sequence[Worker], place: Path) -> int:
    """The first worker's screen as an SVG file. Raises NoPicture."""
    view = next((state.view for _, state in workers if isinstance(state, State) and state.view), None)
    if view is None:
        raise NoPicture(
            "no worker of this machine shows its screen", hint="name its folder: iamine status --svg FILE --data-dir DIR"
        )
    clock = f"{datetime.now().astimezone():%H:%M}"
    try:
        place.write_text(picture(view, columns=PICTURE_COLUMNS, rows=PICTURE_ROWS, clock=clock), encoding="utf-8")
    except OSError as error:
        raise NoPicture(f"{place} cannot be written: {error}", hint="name a file in a folder of yours") from error
    return EXIT_OK
