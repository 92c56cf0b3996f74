"""A house of real processes: `iamine up` as a person starts it, workers as a volunteer does."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from openai import OpenAI

ROOT = Path(__file__).parents[2]
START_S = 90.0


def wait_for(what: Callable[[], Any], limit_s: float, told: str) -> Any:
    """The first true answer within the limit."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        answer = what()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{told}: not within {limit_s:g} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class House:
    """A data folder, and the processes that live on it."""

    data_dir: Path
    port: int
    workers: int = 1
    process: subprocess.Popen[bytes] | None = None
    extra: list[subprocess.Popen[bytes]] = field(default_factory=list)
    clients: list[OpenAI] = field(default_factory=list)

    def start(self) -> "House":
        """`iamine up`, and wait until it answers."""
        self.process = self.run(
            "up", "--port", str(self.port), "--data-dir", str(self.data_dir), "--workers", str(self.workers)
        )
        self.wait_ready()
        return self

    def run(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A command of ours, its output in the data folder."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("IAMINE_", "OPENAI_"))}
        with (self.data_dir / f"{arguments[0]}.out").open("ab") as out:
            return subprocess.Popen([sys.executable, "-m", "iamine", *arguments], stdout=out, stderr=out, cwd=ROOT, env=environ)

    def worker(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """One more worker, started by hand."""
        where = str(self.data_dir / "extra" / name)
        process = self.run("worker", "--auto", "--pool", self.url, "--data-dir", where, "--name", name, *arguments)
        self.extra.append(process)
        return process

    def wait_ready(self, *, workers: int | None = None) -> None:
        wait_for(self.is_ready, START_S, "pool ready")
        wanted = self.workers if workers is None else workers
        wait_for(lambda: self.joined() >= wanted, START_S, f"{wanted} workers joined")

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def joined(self) -> int:
        try:
            response = httpx.get(f"{self.url}/v1/models", headers=self.headers, timeout=5)
            status = httpx.get(f"{self.url}/v1/status", headers=self.headers, timeout=5)
        except httpx.HTTPError:
            return 0
        return int(status.json()["workers"]) if response.json()["data"] else 0

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = httpx.get(f"{self.url}/v1/status", headers=self.headers, timeout=5).json()
        return status

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        return str(json.loads((self.data_dir / "client.json").read_text())["api_key"])

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def client(self, **more: Any) -> OpenAI:
        """The official SDK, as client.json says; closed with the house."""
        client = OpenAI(**{"base_url": f"{self.url}/v1", "api_key": self.key, "max_retries": 0, "timeout": 120.0, **more})
        self.clients.append(client)
        return client

    def members(self) -> list[psutil.Process]:
        """Every live process of this house: those that name its folder, and their descendants."""
        found: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            try:
                if str(self.data_dir) in " ".join(process.cmdline()) and process.pid != os.getpid():
                    for one in (process, *process.children(recursive=True)):
                        if one.status() != psutil.STATUS_ZOMBIE:
                            found[one.pid] = one
            except psutil.Error:
                continue
        return list(found.values())

    def find(self, *parts: str) -> psutil.Process:
        """The one process whose command line holds all parts."""
        for process in self.members():
            try:
                line = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if all(part in line for part in parts):
                return process
        raise AssertionError(f"no process with {parts}: {[' '.join(p.cmdline()) for p in self.members()]}")

    def stop(self) -> int | None:
        """SIGTERM, as a service manager does; then make sure that nothing is left."""
        for process in self.extra:
            process.terminate()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30) if self.process is not None else None
        for process in self.extra:
            process.wait(15)
        return code

    def end(self) -> None:
        """Whatever a test left behind."""
        for client in self.clients:
            client.close()
        for process in self.members():
            if process.is_running():
                process.kill()
        for popen in (self.process, *self.extra):
            if popen is not None:
                popen.wait(10)
