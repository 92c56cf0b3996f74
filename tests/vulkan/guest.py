"""Commands of the image's agent in a Debian 13 tree with Mesa's drivers; the network is this machine's."""

import json
import os
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from imagebuild.tree import PATH, entering
from imagebuild.wheels import VENV

from appliance.agent.engine.protocol import Deframer, Load, Loaded, decode_from_engine, encode
from iamine.ids import JobId
from iamine.wire.messages import ChatWork, Failed, Finished, Job, Sampling, Step

LAVAPIPE = "/usr/share/vulkan/icd.d/lvp_icd.json"
# Without a filter llama.cpp passes over devices that are processors; a number names this one
ON = {"VK_DRIVER_FILES": LAVAPIPE, "GGML_VK_VISIBLE_DEVICES": "0"}
INSIDE, SHADERS = "work/data", "work/shaders"
LIMIT_S = 900.0  # the first pipelines are compiled: 40 CPU seconds


@dataclass(slots=True)
class Guest:
    """`folder` is the guest's /work/data, `shaders` where Mesa keeps what it compiled."""

    tree: Path
    venv: Path
    shaders: Path
    folder: Path
    running: list["subprocess.Popen[Any]"] = field(default_factory=list)

    def path(self, name: str) -> str:
        """A file of the folder as the guest names it."""
        return f"/{INSIDE}/{name}"

    def start(self, *arguments: str, environ: dict[str, str] | None = None, **options: Any) -> "subprocess.Popen[Any]":
        """The venv's Python with these arguments."""
        bare = {"PATH": PATH, "HOME": f"/{INSIDE}", "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1"}
        bare["MESA_SHADER_CACHE_DIR"] = f"/{SHADERS}"
        binds = {self.venv: VENV, self.folder: INSIDE, self.shaders: SHADERS}
        command = entering(self.tree, binds, f"/{VENV}/bin/python", "-I", *arguments)
        self.running.append(subprocess.Popen(command, env={**bare, **(environ or {})}, **options))
        return self.running[-1]

    def probe(self, environ: dict[str, str]) -> dict[str, Any]:
        """`iamine probe --json`."""
        with self.start(
            "-m", "iamine", "probe", "--json", "--data-dir", self.path("probe"), environ=environ, stdout=subprocess.PIPE
        ) as process:
            out, _ = process.communicate(timeout=LIMIT_S)
        found: dict[str, Any] = json.loads(out)
        return found

    def end(self) -> None:
        """Whatever a test left behind."""
        for process in self.running:
            process.kill()
            process.wait(10)


class Engine:
    """A real engine child in the guest; llama.cpp's log lies in `log`."""

    def __init__(self, guest: Guest, name: str, load: Load, environ: dict[str, str]) -> None:
        self.log = guest.folder / f"{name}.log"
        self._socket, theirs = socket.socketpair()
        with theirs, self.log.open("wb") as log:
            command = ["-m", "appliance.agent.engine", "--verbose", "--fd", str(theirs.fileno())]
            self.process = guest.start(*command, environ=environ, pass_fds=[theirs.fileno()], stderr=log)
        self._socket.settimeout(LIMIT_S)
        self._deframer, self._frames, self._number = Deframer(), list[Any](), 0
        self._socket.sendall(encode(load))
        self.loaded = self._receive()

    def answer(self, text: str) -> str:
        """The greedy answer up to the end that the model gives it."""
        assert isinstance(self.loaded, Loaded), self.loaded
        self._number += 1
        messages = msgspec.Raw(json.dumps([{"role": "user", "content": text}]).encode())
        sampling = Sampling(max_tokens=200, temperature=0.0)
        work = ChatWork(messages=messages, tools=msgspec.Raw(b"[]"))
        self._socket.sendall(
            encode(Job(job=JobId(f"j{self._number}"), epoch=1, file_sha256="", work=work, sampling=sampling, now=0.0))
        )
        said = ""
        while not isinstance(frame := self._receive(), Finished):
            assert not isinstance(frame, Failed), frame
            if isinstance(frame, Step):
                said += "".join(sequence.text for sequence in frame.sequences)
        assert frame.reason == "stop"
        return said + frame.text

    def maps(self) -> str:
        """The libraries that the engine's processes have open."""
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()
        found = ""
        for pid in [str(self.process.pid), *children]:
            found += Path(f"/proc/{pid}/maps").read_text()
        return found

    def close(self) -> None:
        self._socket.close()
        self.process.wait(20)

    def _receive(self) -> Any:
        while not self._frames:
            received = self._socket.recv(1 << 20)
            assert received, f"the engine is gone: {self.log.read_text()[-2000:]}"
            self._frames += [decode_from_engine(body) for body in self._deframer.feed(received)]
        return self._frames.pop(0)


def tree_of(variable: str) -> Path:
    """A folder that `just vulkan-test` made."""
    return Path(os.environ[variable])
