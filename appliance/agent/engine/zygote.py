"""`python -m appliance.agent.engine.zygote FD MODEL`: holds the vocabulary and forks an oracle for every grammar.

An oracle compiles one grammar and answers which tokens fit next. The kernel kills it when one answer takes more than
ANSWER_CPU_S or when it wants more than MEMORY_BYTES; it ends when its socket closes. Nothing else is harmed.
"""

import ctypes
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import llama_cpp as c
import msgspec
import numpy as np
import numpy.typing as npt

from appliance.agent.engine.grammar import GrammarRefused, gbnf_of
from appliance.agent.engine.llama import LogRing, Model, Vocabulary
from appliance.agent.engine.oracle import ASK, BROKEN, HEADER, NO, READY, TOKEN, YES, Opening, framed

COMPILE_CPU_S = 5.0
ANSWER_CPU_S = 2.0
MEMORY_BYTES = 1024**3
MAX_OPENING_BYTES = 16 * 1024 * 1024
REFUSED_LOGIT = -1e30  # -inf in truth; anything below this is refused

_TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class CompiledGrammar:
    """llama.cpp's grammar sampler. Raises GrammarRefused when it cannot be made."""

    def __init__(self, vocabulary: Vocabulary, gbnf: str) -> None:
        if not gbnf.strip() or "\0" in gbnf:  # llama.cpp takes nothing for "anything goes"
            raise GrammarRefused("the grammar is empty or holds a NUL character")
        self._eog = vocabulary.eog
        self._sampler = c.llama_sampler_init_grammar(vocabulary.handle, gbnf.encode(), b"root")
        if not self._sampler:
            raise GrammarRefused("llama.cpp cannot read the grammar: no rule `root`, a broken rule, or left recursion")
        self._all = np.zeros(vocabulary.size, dtype=_TOKEN_DATA)
        self._all["id"] = np.arange(vocabulary.size)

    def fits(self, token: int) -> bool:
        """Whether this token may come next."""
        return bool(self._fitting(self._all[token : token + 1])[0])

    def mask(self) -> bytes:
        """One bit per token: may it come next?"""
        return np.packbits(self._fitting(self._all), bitorder="little").tobytes()

    def accept(self, token: int) -> None:
        """The token, which fits, comes next."""
        if token not in self._eog:
            c.llama_sampler_accept(self._sampler, token)

    def _fitting(self, candidates: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
        candidates["logit"] = 0.0
        pointer = candidates.ctypes.data_as(ctypes.POINTER(c.llama_token_data))
        array = c.llama_token_data_array(data=pointer, size=len(candidates), selected=-1, sorted=False)
        c.llama_sampler_apply(self._sampler, ctypes.byref(array))
        return np.asarray(candidates["logit"] > REFUSED_LOGIT)


def answer(connection: socket.socket, vocabulary: Vocabulary, limit_cpu: Callable[[float], None]) -> None:
    """An oracle's life: one grammar, then questions until the socket closes; `limit_cpu` (s) is told before each work."""
    with connection.makefile("rb") as stream:

        def receive() -> bytes | None:
            header = stream.read(HEADER.size)
            if len(header) < HEADER.size:
                return None
            (size,) = HEADER.unpack(header)
            return stream.read(size) if size <= MAX_OPENING_BYTES else None

        first = receive()
        if first is None:
            return
        limit_cpu(COMPILE_CPU_S)
        try:
            grammar = _open(vocabulary, msgspec.json.decode(first, type=Opening))
        except GrammarRefused as error:
            connection.sendall(framed(BROKEN + str(error).encode()))
            return
        connection.sendall(framed(READY))
        while question := receive():
            limit_cpu(ANSWER_CPU_S)
            _reply(connection, grammar, question)


def _reply(connection: socket.socket, grammar: CompiledGrammar, question: bytes) -> None:
    kind, token = TOKEN.unpack(question)
    if kind != ASK:
        grammar.accept(token)
    elif grammar.fits(token):
        connection.sendall(framed(YES))
        grammar.accept(token)
    else:
        connection.sendall(framed(NO + grammar.mask()))


def _open(vocabulary: Vocabulary, opening: Opening) -> CompiledGrammar:
    grammar = CompiledGrammar(vocabulary, gbnf_of(opening.grammar))
    for token in opening.prefix:
        if not grammar.fits(token):
            raise GrammarRefused("the answer so far does not fit the grammar")
        grammar.accept(token)
    return grammar


def _limit_cpu(seconds: float) -> None:
    """From now on: SIGPROF, which nobody handles, ends this process after so much CPU time (the kernel's included)."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _become_oracle(descriptor: int, vocabulary: Vocabulary) -> None:
    """In the forked child; does not return."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        answer(socket.socket(fileno=descriptor), vocabulary, _limit_cpu)
    finally:
        os._exit(0)


def main(arguments: list[str]) -> int:
    """Forks an oracle for every socket that comes through the control socket, until that closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    LogRing().install()
    control = socket.socket(fileno=int(arguments[0]))
    vocabulary = Model(Path(arguments[1]), exact=False, vocabulary_only=True).vocabulary
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 16, 16)
        if not message:
            return 0
        for descriptor in descriptors:
            if os.fork() == 0:
                control.close()
                _become_oracle(descriptor, vocabulary)
            os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
