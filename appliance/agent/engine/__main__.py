"""`python -m appliance.agent.engine --fd N | --socket PATH [--verbose]`: one model, one connection, then the end."""

import argparse
import os
import signal
import socket
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Serves the inherited socket, or the first connection to a socket made at the path."""
    parser = argparse.ArgumentParser(prog="python -m appliance.agent.engine", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--fd", type=int, help="number of an inherited, connected unix socket")
    where.add_argument("--socket", type=Path, help="path to listen on for one connection")
    parser.add_argument("--verbose", action="store_true", help="llama.cpp's own log on stderr")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the agent's: it ends this process when it is ready to
    # GOMP reads it when its library is loaded. Spinning threads cost 84 ms a token on a busy machine, passive ones 1 ms
    # (2 shared cores, November 2026).
    os.environ["OMP_WAIT_POLICY"] = "passive"
    os.environ["GGML_NO_BACKTRACE"] = "1"  # else a failing assertion starts gdb, which takes seconds and prints memory
    from appliance.agent.engine.serve import serve  # after the environment: this loads llama.cpp

    connection = socket.socket(fileno=options.fd) if options.fd is not None else _accept_one(options.socket)
    with connection:
        return serve(connection, verbose=options.verbose)


def _accept_one(path: Path) -> socket.socket:
    """The first connection to a new socket at `path`, which only this user may use; it is removed then."""
    path.unlink(missing_ok=True)
    mask = os.umask(0o177)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        os.umask(mask)
        listener.listen(1)
        connection, _ = listener.accept()
    path.unlink(missing_ok=True)
    return connection


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
