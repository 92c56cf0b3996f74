"""What the tests of the stick share: settings as people write them, how a start is told, what it may cost."""

import re

import qemu
from house import House

BUDGET_S = 300.0  # CPU seconds to "joined"; 110-150 are usual, a loaded machine needs more
JOINED = r"IAMINE worker joined: linked to .* as (wrk_[a-z0-9]+)[^\r\n]*"
ANSWER_S = 900.0  # a generous deadline: the machine is emulated and shares its processor
MEMORY_GATE_MB = 330  # in use with agent, engine and console, less the model
MOTE_MB = 105  # what the worker says it needs: weights, 8 x 1024 tokens, llama.cpp's buffers


def settings(pool: House | None, more: str = "") -> str:
    """As a Windows editor would leave it."""
    return (f'[pool]\r\nurl = "http://10.0.2.2:{pool.port}"\r\n' if pool else "") + more


def worker_of(vm: qemu.Machine) -> str:
    """The worker's id, once it has joined."""
    return vm.wait(JOINED, cpu_s=BUDGET_S)[1]


def codes(vm: qemu.Machine) -> list[str]:
    """The codes on the last plain line."""
    found = re.findall(r"problems ([^\r\n]*)\r", vm.serial)
    return [] if not found or found[-1] == "none" else found[-1].split(",")


def memory_mb(vm: qemu.Machine) -> int:
    """What the last plain line says of memory in use."""
    return int(re.findall(r"memory (\d+) MB", vm.serial)[-1])


def answer(pool: House, question: str) -> str:
    """What the pool's only worker says."""
    asked = [{"role": "user", "content": question}]
    told = pool.client(timeout=ANSWER_S).chat.completions.create(model="mote", messages=asked, temperature=0)  # type: ignore[call-overload]
    return str(told.choices[0].message.content or "")
