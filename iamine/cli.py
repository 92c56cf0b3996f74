"""The one command `iamine`. The pool's and the agent's commands come in by entry points: neither side is imported here."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points

from iamine import __version__, up
from iamine.errors import IamineError

GROUP = "iamine.commands"
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT

Register = Callable[["argparse._SubParsersAction[argparse.ArgumentParser]"], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code: 0 fine, 1 an error with a hint, 2 wrong usage or configuration."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return run(argv, entry_points(group=GROUP))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `iamine models | head`: the reader had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    except IamineError as error:
        return tell(error)


def tell(error: IamineError) -> int:
    """Say what happened and what to try; the exit code is the error's own `exit_code`, else 1."""
    sys.stderr.write(f"error: {error.message}\n")
    if error.hint:
        sys.stderr.write(f"try: {error.hint}\n")
    code = getattr(error, "exit_code", EXIT_ERROR)
    return code if isinstance(code, int) else EXIT_ERROR


def run(argv: Sequence[str], sides: Iterable[EntryPoint]) -> int:
    """Parse with the commands of all sides that can be imported, and run the one that was asked for."""
    parser = argparse.ArgumentParser(prog="iamine", description="A shared pool of idle compute with an OpenAI-compatible API.")
    parser.add_argument("--version", action="version", version=f"iamine {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    up.register(commands)
    broken = register_sides(commands, sides)
    reasons = "; ".join(f"{name} ({reason})" for name, reason in broken.items())
    parser.epilog = f"not available here: {reasons}" if broken else None
    wanted = next((argument for argument in argv if not argument.startswith("-")), None)
    if wanted is not None and wanted not in commands.choices and broken:
        raise IamineError(
            f"there is no command `{wanted}` here, and a part of the program does not load: {reasons}",
            hint="install what is missing: ./run setup in a clone, else pip install --upgrade iamine-ai",
        )
    options = parser.parse_args(argv)
    code = options.run(options)
    sys.stdout.flush()
    return int(code)


def register_sides(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", sides: Iterable[EntryPoint]
) -> Mapping[str, str]:
    """Let each side add its commands; say which could not be imported, and why."""
    broken: dict[str, str] = {}
    once = {side.name: side for side in sides}  # the project under its former name may still be installed beside
    for side in sorted(once.values(), key=lambda side: side.name):
        register = _load(side, broken)
        if register is not None:
            register(commands)
    return broken


def _load(side: EntryPoint, broken: dict[str, str]) -> Register | None:
    try:
        register: Register = side.load()
    except (ImportError, AttributeError) as error:
        broken[side.name] = str(error)
        return None
    return register
