"""`iamine claim`, `iamine workers` and `iamine unclaim`: a person and the workers of his account."""

import argparse
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

from iamine.chat import open_client
from iamine.terminal import Terminal

EXIT_OK = 0


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the three commands."""
    claim = _command(subparsers, "claim", "take a worker into your account, by the code on its screen", run_claim)
    claim.add_argument("code", metavar="CODE", help="as the worker's screen and `iamine status` on its machine show it")
    _command(subparsers, "workers", "the workers of your account", run_workers)
    unclaim = _command(subparsers, "unclaim", "give a worker of your account up", run_unclaim)
    unclaim.add_argument("worker", metavar="ID", help="as `iamine workers` lists it: wrk_...")


def _command(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    about: str,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(name, help=about, description=about)
    parser.add_argument("--pool", metavar="URL", help="the pool's address (default: OPENAI_BASE_URL, then client.json)")
    parser.add_argument("--data-dir", metavar="DIR", help="where client.json is")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)
    return parser


def run_claim(args: argparse.Namespace) -> int:
    """Take the worker. Raises ClientError."""
    with open_client(args) as client:
        mine, out = client.claim(args.code), Terminal(sys.stdout)
    if args.json:
        out.json(mine)
    else:
        out.line(f"yours: {mine.get('name') or 'a worker without a name'} ({mine.get('id', '?')})")
        out.line("its screen shows the account's name now; `iamine workers` lists all of yours", "dim")
    return EXIT_OK


def run_workers(args: argparse.Namespace) -> int:
    """List them. Raises ClientError."""
    with open_client(args) as client:
        mine, out = client.workers(), Terminal(sys.stdout)
    if args.json:
        out.json({"workers": mine})
    elif not mine:
        out.line("this account has no worker yet: `iamine claim CODE`, with the code on a worker's screen")
    else:
        out.table(("worker", "name", "now", "claimed", "last came"), [row(one) for one in mine])
    return EXIT_OK


def run_unclaim(args: argparse.Namespace) -> int:
    """Give it up. Raises ClientError."""
    with open_client(args) as client:
        client.unclaim(args.worker)
    out = Terminal(sys.stdout)
    if args.json:
        out.json({"id": args.worker, "deleted": True})
    else:
        out.line(f"{args.worker} is nobody's now, and shows a code again")
    return EXIT_OK


def row(worker: dict[str, Any]) -> tuple[str, ...]:
    """One line about a worker."""
    now = ", ".join(str(each) for each in worker.get("models") or ()) or "no model" if worker.get("linked") else "away"
    return (
        str(worker.get("id", "?")),
        str(worker.get("name") or "-"),
        now,
        _day(worker.get("claimed_at")),
        _day(worker.get("last_seen")),
    )


def _day(seconds: object) -> str:
    if not isinstance(seconds, int | float):
        return "-"
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}"
