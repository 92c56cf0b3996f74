"""PostgreSQL as the pool's own foreground child: started, watched, restarted and stopped here, and never left behind."""

import asyncio
import logging
import shutil
import signal
import threading
import time
from asyncio.subprocess import Process
from pathlib import Path

import asyncpg

from iamine.lockfile import LockFile
from iamine.paths import private_dir
from pool.store import postgres_commands as commands
from pool.store.cluster import Cluster, find_binaries, find_run_as, read_dsn
from pool.store.errors import DataDirInUse, PostgresFailed

log = logging.getLogger(__name__)

OWNER_LOCK = "database-owner.lock"  # iamine.up looks at it, too
OWNER_WAIT_S = 8.0  # a pool that was told to stop needs a moment; `account create` owns the data for one, too
STALE_WAIT_S = 15.0  # a dead pool's postgres gets its death signal and stops; its last checkpoint takes a while
STOP_WAIT_S = 5.0
START_ATTEMPTS = 5
RESTART_PAUSE_S = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)  # the last one repeats
READY_PAUSE_S, LONGEST_READY_PAUSE_S = 0.03, 0.25
LOCK_PAUSE_S = 0.1
PATIENCE_NOTE_S = 5.0
LOG_CHECK_S = 60.0


class EmbeddedPostgres:
    """One cluster in `data_dir`/postgres with one owner. Start it in the main thread: the kernel's death signal to the
    server follows the thread that forked.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.resolve()
        self._owner = LockFile(self._data_dir / OWNER_LOCK)
        self._running = LockFile(self._data_dir / "postgres.lock")
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._dsn = ""

    async def start(self) -> str:
        """The DSN of a server that answers. Raises: DataDirInUse, PostgresFailed."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("start the embedded PostgreSQL in the main thread")
        private_dir(self._data_dir)
        await self._take_locks()
        try:
            self._cluster = Cluster(data_dir=self._data_dir, binaries=find_binaries(), who=await asyncio.to_thread(find_run_as))
            self._password, self._sockets = self._cluster.password(), self._cluster.socket_folder()
            if not self._cluster.exists():
                await self._make_cluster()
            await self._first_start()
            await self._make_database()
        except BaseException:
            await self.close()
            raise
        self._keeper = asyncio.create_task(self._keep(), name="postgres-keeper")
        self._cluster.publish(self._dsn)
        return self._dsn

    async def close(self) -> None:
        """A fast shutdown, at most STOP_WAIT_S long, then SIGKILL (recovery at the next start). Can be called twice."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        if self._process is not None:
            await _stop(self._process)
            self._process = None
        self._running.release()
        self._owner.release()

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def _take_locks(self) -> None:
        """Ours says who owns the data; postgres's is inherited by the server, so it lasts as long as any server does."""
        if not await _take(self._owner, OWNER_WAIT_S):
            raise DataDirInUse(f"another pool uses {self._data_dir}", hint="stop it, or name another folder: --data-dir DIR")
        if self._running.try_take():
            return
        log.warning("waiting for the PostgreSQL of a pool that died: it is still stopping")
        if not await _take(self._running, STALE_WAIT_S):
            self._owner.release()
            raise DataDirInUse(
                f"a PostgreSQL that was left behind still uses {self._data_dir}", hint=f"end it: fuser -k {self._running.path}"
            )

    async def _make_cluster(self) -> None:
        """Into a draft, then renamed: an interrupted start leaves no half cluster."""
        draft = self._cluster.new_draft()
        command = commands.initdb(self._cluster.binaries, draft, self._cluster.password_file, self._cluster.who)
        with self._cluster.open_log() as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=self._data_dir,
            )
        try:
            code = await process.wait()
        finally:
            await _stop(process)
        if code != 0:
            shutil.rmtree(draft, ignore_errors=True)
            raise self._failed("initdb failed")
        self._cluster.adopt(draft)

    async def _launch(self) -> Process:
        self._cluster.tidy()
        command = commands.postgres(self._cluster.binaries, self._cluster.path, self._sockets, self._cluster.who)
        with self._cluster.open_log() as output:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the pool, which stops the server when it is done
                pass_fds=(self._running.fd,),
                cwd=self._data_dir,
            )

    async def _first_start(self) -> None:
        for attempt in range(START_ATTEMPTS):
            await asyncio.sleep(RESTART_PAUSE_S[attempt])
            self._process = await self._launch()
            if await self._ready(self._process):
                return
        raise self._failed("PostgreSQL does not start")

    async def _ready(self, process: Process) -> bool:
        """Wait for an answer as long as the server lives: recovery after a crash may take long."""
        note_at, pause_s = time.monotonic() + PATIENCE_NOTE_S, READY_PAUSE_S
        while process.returncode is None:
            if await self._answers():
                return True
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.2, LONGEST_READY_PAUSE_S)
            if time.monotonic() > note_at:
                log.warning("PostgreSQL is still starting (recovering after a crash takes a while)")
                note_at += PATIENCE_NOTE_S
        return False

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(commands.dsn(self._sockets, self._password, "postgres"), timeout=5.0)
        except (OSError, asyncpg.OperatorInterventionError, asyncpg.PostgresConnectionError):
            return False
        await connection.close()
        return True

    async def _make_database(self) -> None:
        self._dsn = commands.dsn(self._sockets, self._password)
        connection = await asyncpg.connect(commands.dsn(self._sockets, self._password, "postgres"), timeout=10.0)
        try:
            if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", commands.DATABASE) is None:
                await connection.execute(f'CREATE DATABASE "{commands.DATABASE}"')
        finally:
            await connection.close()

    async def _keep(self) -> None:
        """Restart the server whenever it ends, for ever; keep its log small."""
        failures = 0
        while self._process is not None:
            try:
                async with asyncio.timeout(LOG_CHECK_S):
                    code = await self._process.wait()
            except TimeoutError:
                self._cluster.trim_log()
                continue
            log.warning("PostgreSQL ended by itself (exit %s): restarting it; see %s", code, self._cluster.log_file)
            await asyncio.sleep(RESTART_PAUSE_S[min(failures, len(RESTART_PAUSE_S) - 1)])
            self._process = await self._launch()
            failures = 0 if await self._ready(self._process) else failures + 1
            if failures == 0:
                log.warning("PostgreSQL is back")

    def _failed(self, message: str) -> PostgresFailed:
        tail = commands.last_lines(self._cluster.read_log())
        return PostgresFailed(f"{message}: {tail}", hint=f"the whole story is in {self._cluster.log_file}")


async def running_dsn(data_dir: Path, wait_s: float = STALE_WAIT_S) -> str | None:
    """The DSN of the pool that runs on this data folder, or None when none runs. One that is starting is waited for."""
    lock = LockFile(private_dir(data_dir) / OWNER_LOCK)
    deadline = time.monotonic() + wait_s
    while not lock.try_take():
        dsn = read_dsn(data_dir)
        if dsn is not None or time.monotonic() > deadline:
            return dsn
        await asyncio.sleep(LOCK_PAUSE_S)
    lock.release()
    return None


async def _take(lock: LockFile, wait_s: float) -> bool:
    deadline = time.monotonic() + wait_s
    while not lock.try_take():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(LOCK_PAUSE_S)
    return True


async def _stop(process: Process) -> None:
    for stop_signal, wait_s in ((signal.SIGINT, STOP_WAIT_S), (signal.SIGKILL, 5.0)):
        if process.returncode is not None:
            return
        process.send_signal(stop_signal)
        try:
            async with asyncio.timeout(wait_s):
                await process.wait()
        except TimeoutError:
            log.warning("process %s did not end within %g s of %s", process.pid, wait_s, stop_signal.name)
