"""Greedy answers of a GGUF file through llama.cpp's low-level interface, on one thread."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from llama_cpp import llama_cpp as llama

LONGEST_PIECE_BYTES = 256


@llama.llama_log_callback  # type: ignore[untyped-decorator]  # the library gives it no type
def _silent(level: int, text: bytes, data: object) -> None:
    """llama.cpp's log is of no use here."""


class Greedy:
    """One loaded model with one context; use it in a `with` block.

    Raises:
        OSError: the file cannot be loaded.
    """

    def __init__(self, file: Path, context: int = 1024) -> None:
        llama.llama_log_set(_silent, ctypes.c_void_p(0))
        llama.llama_backend_init()
        wanted = llama.llama_model_default_params()
        # The AMX kernels crash on some virtual machines.
        wanted.use_extra_bufts = False
        self.model = llama.llama_model_load_from_file(str(file).encode(), wanted)
        if not self.model:
            raise OSError(f"{file} cannot be loaded; export it again with python -m mote.export")
        self.vocabulary = llama.llama_model_get_vocab(self.model)
        self.end = llama.llama_vocab_eos(self.vocabulary)
        sizes = llama.llama_context_default_params()
        sizes.n_ctx = sizes.n_batch = context
        sizes.n_threads = sizes.n_threads_batch = 1
        self.size = context
        self.context = llama.llama_init_from_model(self.model, sizes)
        self.sampler = llama.llama_sampler_init_greedy()

    def __enter__(self) -> Greedy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        llama.llama_sampler_free(self.sampler)
        llama.llama_free(self.context)
        llama.llama_model_free(self.model)

    def chat_template(self) -> str:
        """The chat template that the file carries."""
        found = llama.llama_model_chat_template(self.model, None)
        return found.decode() if found else ""

    def tokens(self, text: str) -> list[int]:
        """Token ids of a text whose special tokens are meant as such."""
        raw = text.encode()
        ids = (ctypes.c_int32 * (len(raw) + 8))()
        count = llama.llama_tokenize(self.vocabulary, raw, len(raw), ids, len(ids), False, True)
        return list(ids[:count])

    def text(self, tokens: Sequence[int]) -> str:
        """The text of some tokens, special ones included."""
        raw = b""
        for token in tokens:
            piece = ctypes.create_string_buffer(LONGEST_PIECE_BYTES)
            size = llama.llama_token_to_piece(self.vocabulary, token, piece, LONGEST_PIECE_BYTES, 0, True)
            raw += piece.raw[:size]
        return raw.decode(errors="replace")

    def answer(self, prompt: str, limit: int = 400) -> str:
        """The most likely answer with its end token; without it if `limit` or the context ends first."""
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)
        following, said = self.tokens(prompt), list[int]()
        used = 0
        while len(said) < limit and used + len(following) <= self.size:
            used += len(following)
            ids = (ctypes.c_int32 * len(following))(*following)
            if llama.llama_decode(self.context, llama.llama_batch_get_one(ids, len(following))) != 0:
                raise RuntimeError("llama.cpp could not take the tokens; is the context large enough?")
            token = llama.llama_sampler_sample(self.sampler, self.context, -1)
            said.append(token)
            if token == self.end:
                break
            following = [token]
        return self.text(said)
