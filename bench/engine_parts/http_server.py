"""A llama-server program as a contender: only the server's own process is counted, its HTTP in it."""

import http.client
import json
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine_parts.asked import Asked, Cost, cpu_seconds
from engine_parts.ours import Setting

START_S = 120.0


class HttpServer:
    """One `llama-server` process with as many slots and as much context as ours."""

    def __init__(
        self, program: Path, path: Path, setting: Setting, *, name: str, log: Path, options: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = int(free.getsockname()[1])
        numbers = {"-c": setting.slots * setting.context_tokens, "-np": setting.slots, "-t": setting.threads}
        numbers |= {
            "-tb": setting.threads,
            "-ngl": setting.gpu_layers,
            "-b": 512,
            "-ub": 512,
            "--cache-ram": 0,
            "--port": self._port,
        }
        words = [word for option, number in numbers.items() for word in (option, str(number))]
        with log.open("wb") as out:
            command = [str(program), "-m", str(path), "--host", "127.0.0.1", "--no-webui", *words, *options]
            self._process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        self.pid = self._process.pid
        self._wait(log)

    def _wait(self, log: Path) -> None:
        end = time.monotonic() + START_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if self._get("/health") == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        self.close()
        raise RuntimeError(f"{self.name} did not start: {log.read_text(errors='replace')[-1500:]}")

    def _get(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        connection.request("GET", path)
        return connection.getresponse().status

    def _answer(self, prompt: str, asked: Asked) -> int:
        body = {"prompt": prompt, "n_predict": asked.tokens, "ignore_eos": True, "stream": True, "min_p": 0.0, "top_k": 0}
        body |= {"top_p": 1.0, "samplers": ["top_k", "top_p", "temperature"], **asked.sampling}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=600)
        connection.request("POST", "/completion", json.dumps(body), {"Content-Type": "application/json"})
        last = b""
        for line in connection.getresponse():
            if line.startswith(b"data: {"):
                last = line
        connection.close()
        return int(json.loads(last[6:])["tokens_predicted"])

    def run(self, asked: Asked) -> Cost:
        """Answers all prompts."""
        cpu, wall = cpu_seconds(self.pid), time.monotonic()
        with ThreadPoolExecutor(asked.at_once) as threads:
            tokens = sum(threads.map(lambda prompt: self._answer(prompt, asked), asked.prompts))
        return Cost(tokens=tokens, cpu_s=cpu_seconds(self.pid) - cpu, wall_s=time.monotonic() - wall)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
