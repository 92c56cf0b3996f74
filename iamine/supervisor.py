"""Keeps child programs running until told to stop: restarts with backoff, ends them in order, leaves none behind."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from iamine.child import dies_with_parent
from iamine.errors import IamineError
from iamine.logtail import LogTail

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
STEADY_S = 30.0  # a child that ran this long is well again: its next pause is the first one
TAIL_PAUSE_S = 0.3
KILL_WAIT_S = 2.0
MAX_TOLD = 200  # lines remembered


class ServiceRefused(IamineError):
    """A child says that starting it again would not help."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One child: it writes to `log_file`, gets SIGTERM to stop, and SIGKILL after `stop_wait_s`.

    An exit code in `final_codes` is not followed by a restart: it ends the whole.
    """

    name: str
    command: tuple[str, ...]
    log_file: Path
    cwd: Path
    stop_wait_s: float
    final_codes: frozenset[int] = field(default=frozenset())
    environ: Mapping[str, str] | None = None


def pause_s(failures: int) -> float:
    """The wait before start number `failures` + 1 (failures >= 1): 0.2, 0.4, ... 10 s."""
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures - 1, 16)))


def next_failures(failures: int, ran_s: float) -> int:
    """How many failures in a row there are now that a child ended after `ran_s`."""
    return 1 if ran_s >= STEADY_S else failures + 1


class Supervisor:
    """Runs in the main thread (the kernel's death signal follows the thread that forked)."""

    def __init__(self, say: Callable[[str], None], now_s: Callable[[], float] = time.monotonic) -> None:
        self._say, self._now_s = say, now_s
        self._stopping = False
        self._told: set[str] = set()
        self._running: dict[str, Process] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._services: dict[str, Service] = {}
        self.refused: asyncio.Future[ServiceRefused] = asyncio.get_running_loop().create_future()

    def start(self, service: Service) -> None:
        """Run it and keep it running."""
        self._services[service.name] = service
        self._keepers[service.name] = asyncio.create_task(self._keep(service), name=f"keep-{service.name}")

    async def stop(self, names: Sequence[str]) -> None:
        """End these children together and for good: SIGTERM, then SIGKILL to what is left of their process groups."""
        self._stopping = True
        await asyncio.gather(*(self._end(self._services[name]) for name in names))

    def kill(self) -> None:
        """The impatient end: SIGKILL for all, now."""
        self._stopping = True
        for process in self._running.values():
            _signal_group(process, signal.SIGKILL)

    async def _keep(self, service: Service) -> None:
        tail = LogTail(service.log_file)
        failures = 0
        while not self._stopped():
            started_s = self._now_s()
            code = await self._run_once(service, tail)
            if self._stopped():
                return
            if code in service.final_codes:
                self._refuse(service, code)
                return
            failures = next_failures(failures, self._now_s() - started_s)
            self._say(
                f"{service.name} ended ({_how(code)}); starting it again in {pause_s(failures):.1f} s; see {service.log_file}"
            )
            await asyncio.sleep(pause_s(failures))

    async def _run_once(self, service: Service, tail: LogTail) -> int:
        process = self._running[service.name] = await _launch(service, tail)
        if self._stopped():  # while it was being started
            _signal_group(process, signal.SIGKILL)
        waiting = asyncio.ensure_future(process.wait())
        try:
            while not waiting.done():
                await asyncio.wait({waiting}, timeout=TAIL_PAUSE_S)
                for line in tail.news():
                    self._tell_once(f"{service.name}: {line}")
            return waiting.result()
        finally:
            self._running.pop(service.name, None)
            _signal_group(process, signal.SIGKILL)  # what it left behind in its group

    def _tell_once(self, line: str) -> None:
        """A child that fails in the same way at every start is told of once; its log has it all."""
        if line not in self._told:
            self._say(line)
            self._told = (self._told | {line}) if len(self._told) < MAX_TOLD else {line}

    def _stopped(self) -> bool:
        return self._stopping

    def _refuse(self, service: Service, code: int) -> None:
        reason = LogTail(service.log_file).last_error() or f"{service.name} ended with exit code {code}"
        if not self.refused.done():
            message, _, hint = reason.partition("\n")
            self.refused.set_result(ServiceRefused(message, hint=hint or f"the whole story is in {service.log_file}"))

    async def _end(self, service: Service) -> None:
        process = self._running.get(service.name)
        keeper = self._keepers[service.name]
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await asyncio.wait({keeper}, timeout=service.stop_wait_s)
            if not keeper.done():
                self._say(f"{service.name} did not stop within {service.stop_wait_s:g} s: killing it")
                _signal_group(process, signal.SIGKILL)
                await asyncio.wait({keeper}, timeout=KILL_WAIT_S)
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def _launch(service: Service, tail: LogTail) -> Process:
    tail.trim()
    with tail.open_for_child() as output:
        return await asyncio.create_subprocess_exec(
            *dies_with_parent(signal.SIGTERM),
            *service.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=service.cwd,
            env=None if service.environ is None else dict(service.environ),
            start_new_session=True,  # Ctrl-C reaches the supervisor only, which stops the children in order
        )


def _signal_group(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def say_to_stderr(line: str) -> None:
    """One line for the person who watches."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
