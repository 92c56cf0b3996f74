"""`iamine share`: this machine's models for the local network, until Ctrl-C; agents there find them by themselves."""

import argparse
import asyncio
import os
import signal
import socket
import sys
import threading
from pathlib import Path

from appliance.agent.config import Options, settings
from appliance.agent.errors import ConfigError
from appliance.agent.fit import gigabytes
from appliance.agent.sharing import ModelServer, shared
from iamine.lan.announce import Service, announced, announced_at
from iamine.lan.record import MODELS_TYPE, models_text
from iamine.paths import data_dir
from iamine.terminal import Terminal

EVERYWHERE, PORT = "0.0.0.0", 8019  # noqa: S104 - for the local network: sharing.py turns others away


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `share`."""
    about = "let machines on the local network fetch this one's models, read-only, until Ctrl-C"
    parser = subparsers.add_parser("share", help=about, description=about)
    parser.add_argument("--data-dir", metavar="DIR", help="whose models (default: ~/.local/share/iamine)")
    parser.add_argument("--models-dir", metavar="DIR", type=Path, help="where they lie (default: models in the data folder)")
    parser.add_argument("--host", default=EVERYWHERE, help="the IPv4 address to listen on (default: all of them)")
    parser.add_argument("--port", type=int, default=PORT, help="the port to listen on (default %(default)s; 0: any)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop. Raises ConfigError."""
    out = Terminal(sys.stdout)
    chosen = settings(Options(models_dir=args.models_dir), os.environ, data_dir(os.environ, args.data_dir))
    models = shared(chosen.models_dir)
    if not models:
        hint = "get one with `iamine fetch`; files that you put there yourself under other names are not shared"
        raise ConfigError(f"{chosen.models_dir} has no fetched model to share", hint=hint)
    server = opened(args.host, args.port, chosen.models_dir, out)
    port = int(server.server_address[1])
    for name, size_bytes in models.items():
        out.line(f"{name.partition('/')[2]} ({gigabytes(size_bytes)})")
    where = ", ".join(f"http://{each}:{port}" for each in announced_at(args.host)) or f"http://{args.host}:{port}"
    out.line(f"shared at {where}; whoever is on this network can see and fetch them. Ctrl-C ends it.")
    serving = threading.Thread(target=server.serve_forever, name="sharing", daemon=True)
    serving.start()
    try:
        asyncio.run(until_stopped(args.host, port, out))
    finally:
        server.shutdown()
        server.server_close()
    return 0


def opened(host: str, port: int, folder: Path, out: Terminal) -> ModelServer:
    """The server, listening. Raises ConfigError."""
    try:
        return ModelServer((host, port), folder, out.line)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"cannot listen at {host} port {port}: {error}", hint="name another: --port 0 takes any") from error


async def until_stopped(host: str, port: int, out: Terminal) -> None:
    """Be announced until a signal."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    name = socket.gethostname()
    service = Service(kind=MODELS_TYPE, name=name, host=host, port=port, label=f"{name}-{port}", text=models_text())
    async with announced(service, out.line):
        await stop.wait()
