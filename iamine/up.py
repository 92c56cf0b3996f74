"""`iamine up`: a pool and its first workers on this machine, from nothing to a line that can be pasted."""

import argparse
import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iamine import paths
from iamine.errors import IamineError
from iamine.local import Address, AddressUnusable, Client, banner, free_port, is_answering, offered_model, read_client
from iamine.lockfile import LockFile
from iamine.supervisor import Service, Supervisor, say_to_stderr

OLDEST_PYTHON_OF_THE_POOL = (3, 11)
CONFIGURATION_EXIT = 2  # the pool's way to say: starting me again does not help
POOL_LOCK = "database-owner.lock"  # held by the pool that owns the data folder
OLD_POOL_WAIT_S = 8.0
POOL_STOP_S = 10.0  # its own grace, and the database's shutdown
WORKER_STOP_S = 5.0
MODEL_WAIT_S = 60.0
POLL_S = 0.15
NOTE_EVERY_S = 10.0
MAX_WORKERS = 64


class UpError(IamineError):
    """`up` cannot begin as asked."""

    exit_code: int = 2


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `up`."""
    parser = commands.add_parser("up", help="run a pool and workers on this machine", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s; 0.0.0.0: everyone)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default %(default)s; 0: any free one)")
    parser.add_argument("--data-dir", metavar="DIR", help="where everything is kept (default: ~/.local/share/iamine)")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="workers to run here (default %(default)s; 0: none)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM; both are the normal end and give 0. Raises: IamineError."""
    if sys.version_info < OLDEST_PYTHON_OF_THE_POOL:
        raise UpError(
            f"the pool needs Python 3.11 or newer; this is {sys.version.split()[0]}",
            hint="join another pool from here: iamine worker --auto --pool URL",
        )
    if not 0 <= options.workers <= MAX_WORKERS:
        raise UpError(f"--workers {options.workers} is not between 0 and {MAX_WORKERS}", hint="--workers 1")
    data_dir = paths.private_dir(paths.data_dir(os.environ, options.data_dir).absolute())
    lock = LockFile(data_dir / "up.lock")
    if not lock.try_take():
        raise UpError(f"another `iamine up` runs on {data_dir}", hint="stop it, or name another folder: --data-dir DIR")
    try:
        address = Address(host=options.host, port=options.port or free_port(options.host))
        wait_for_port(address, data_dir)
        workers = [worker_service(address, data_dir, number) for number in range(1, options.workers + 1)]
        return asyncio.run(Up(address, data_dir, pool_service(address, data_dir), workers).run())
    finally:
        lock.release()


def wait_for_port(address: Address, data_dir: Path, wait_s: float = OLD_POOL_WAIT_S) -> None:
    """Is the port free? The pool of an `up` that was killed may need a moment to leave it. Raises: AddressUnusable."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return address.check_free()
        except AddressUnusable:
            old_pool = LockFile(data_dir / POOL_LOCK)
            if old_pool.try_take():  # nobody of ours: a stranger has the port
                old_pool.release()
                raise
            if time.monotonic() > deadline:
                raise
        time.sleep(POLL_S)


class Up:
    """One run of `iamine up`: a pool that listens at `address`, and its workers."""

    def __init__(self, address: Address, data_dir: Path, pool: Service, workers: Sequence[Service]) -> None:
        self._address, self._data_dir = address, data_dir
        self._pool, self._workers = pool, tuple(workers)
        self._signals: asyncio.Queue[signal.Signals] = asyncio.Queue()

    async def run(self) -> int:
        """Start, tell, wait, stop. Raises: ServiceRefused."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._signals.put_nowait, number)
        supervisor = Supervisor(say_to_stderr)
        say_to_stderr(f"data: {'found' if (self._data_dir / 'client.json').exists() else 'new'} in {self._data_dir}")
        for service in (self._pool, *self._workers):
            supervisor.start(service)
        telling = asyncio.create_task(self._tell_when_ready())
        stop = asyncio.create_task(self._signals.get())
        ending: set[asyncio.Future[Any]] = {stop, supervisor.refused}
        await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        await self._stop(supervisor)
        if supervisor.refused.done():
            stop.cancel()
            raise supervisor.refused.result()
        return 0

    async def _stop(self, supervisor: Supervisor) -> None:
        """Workers first, so that the pool sees them leave; a second signal ends everything at once."""
        say_to_stderr("stopping")

        async def in_order() -> None:
            await supervisor.stop([service.name for service in self._workers])
            await supervisor.stop([self._pool.name])

        stopping = asyncio.create_task(in_order())
        again = asyncio.create_task(self._signals.get())
        ending: set[asyncio.Future[Any]] = {stopping, again}
        await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            supervisor.kill()
        again.cancel()
        await stopping
        say_to_stderr("stopped")

    async def _tell_when_ready(self) -> None:
        began_s = time.monotonic()
        await self._wait_for_pool(began_s)
        client = read_client(self._data_dir) or Client(base_url=f"{self._address.url}/v1", api_key="")
        model = await self._wait_for_model(client, time.monotonic()) if self._workers else None
        sys.stdout.write(banner(client, model, self._data_dir, time.monotonic() - began_s))
        sys.stdout.flush()

    async def _wait_for_pool(self, began_s: float) -> None:
        say_to_stderr(f"pool: starting on {self._address.url}")
        notes = 1
        while not await asyncio.to_thread(is_answering, f"{self._address.url}/readyz"):
            await asyncio.sleep(POLL_S)
            if time.monotonic() - began_s > notes * NOTE_EVERY_S:
                say_to_stderr(f"pool: not ready yet after {notes * NOTE_EVERY_S:.0f} s; see {self._data_dir / 'logs'}")
                notes += 1
        say_to_stderr(f"pool: ready after {time.monotonic() - began_s:.1f} s")

    async def _wait_for_model(self, client: Client, began_s: float) -> str | None:
        say_to_stderr("worker: loading a model")
        notes = 1
        while time.monotonic() - began_s < MODEL_WAIT_S:
            model = await asyncio.to_thread(offered_model, client)
            if model is not None:
                say_to_stderr(f"worker: offers {model} after {time.monotonic() - began_s:.1f} s")
                return model
            await asyncio.sleep(POLL_S)
            if time.monotonic() - began_s > notes * NOTE_EVERY_S:
                say_to_stderr(f"worker: no model yet after {notes * NOTE_EVERY_S:.0f} s; see {self._data_dir / 'logs'}")
                notes += 1
        say_to_stderr(f"worker: no model after {MODEL_WAIT_S:.0f} s; still trying. try: iamine doctor")
        return None


def pool_service(address: Address, data_dir: Path) -> Service:
    """The pool as a child."""
    options = ("--data-dir", str(data_dir), "--host", address.host, "--port", str(address.port))
    return Service(
        name="pool",
        command=(sys.executable, "-m", "iamine", "pool", *options),
        log_file=data_dir / "logs" / "pool.log",
        cwd=data_dir,
        stop_wait_s=POOL_STOP_S,
        final_codes=frozenset({CONFIGURATION_EXIT}),
    )


def worker_service(address: Address, data_dir: Path, number: int) -> Service:
    """Worker `number` (from 1) as a child, with its own identity and folder."""
    folder = paths.private_dir(data_dir / "workers" / str(number))
    models = paths.private_dir(data_dir / "models")  # one folder for all of them
    name = f"{socket.gethostname()}-{number}"
    options = ("--pool", address.url, "--data-dir", str(folder), "--models-dir", str(models), "--name", name)
    return Service(
        name=f"worker-{number}",
        command=(sys.executable, "-m", "iamine", "worker", "--auto", *options),
        log_file=data_dir / "logs" / f"worker-{number}.log",
        cwd=folder,
        stop_wait_s=WORKER_STOP_S,
    )
