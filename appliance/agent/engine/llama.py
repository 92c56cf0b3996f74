"""The door to llama.cpp: a model file, its vocabulary, one context with its batch. Nothing else imports llama_cpp.

One context belongs to one thread; its calls are never concurrent. `llama_decode` releases the interpreter's lock.
"""

import ctypes
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import llama_cpp as c
import numpy as np
import numpy.typing as npt

from appliance.agent import backends
from appliance.agent.engine.guessing import MOST_GUESSES

MAX_LOG_LINES = 200
MOST_LOGITS = 1 + MOST_GUESSES  # of one sequence in a step
LOG_ERROR = 4  # GGML_LOG_LEVEL_ERROR
MAX_META_BYTES = 1024 * 1024  # the longest metadata text taken (a chat template)
CONTROL = c.LLAMA_TOKEN_ATTR_CONTROL | c.LLAMA_TOKEN_ATTR_UNKNOWN
USER_DEFINED = c.LLAMA_TOKEN_ATTR_USER_DEFINED


class LlamaError(Exception):
    """llama.cpp refused; its own last words are in `log_tail()`."""


class NoDevice(LlamaError):
    """A graphics device that was asked for is not there."""


class LogRing:
    """The last lines llama.cpp said. It says nothing about prompts; grammars never come near it (see zygote.py)."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=MAX_LOG_LINES)
        self._errors: deque[str] = deque(maxlen=MAX_LOG_LINES)
        self.echo = False
        self._callback = c.llama_log_callback(self._take)  # kept: C holds only the pointer

    def install(self) -> None:
        c.llama_log_set(self._callback, ctypes.c_void_p(0))

    def tail(self, count: int = 3) -> str:
        """The last errors, or whatever was said last, in one line."""
        return " | ".join(list(self._errors or self.lines)[-count:])

    def _take(self, level: int, text: bytes, _user: object) -> None:
        line = " ".join(text.decode("utf-8", "replace").split())
        if line.strip("."):
            self.lines.append(line)
            if level == LOG_ERROR:
                self._errors.append(line)
        if self.echo and line:
            sys.stderr.write(line + "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenInfo:
    """A token whose text the tokenizer may treat as one unit."""

    id: int
    text: str
    control: bool


class Vocabulary:
    """Text -> ids and ids -> bytes of one model. Safe to use from several threads: it is read-only."""

    def __init__(self, model: Any) -> None:
        self._vocab = c.llama_model_get_vocab(model)
        self.size: int = c.llama_vocab_n_tokens(self._vocab)
        self.adds_bos: bool = bool(c.llama_vocab_get_add_bos(self._vocab))
        self.bos: int = c.llama_vocab_bos(self._vocab)
        self.eos: int = c.llama_vocab_eos(self._vocab)
        self.eog: frozenset[int] = frozenset(t for t in range(self.size) if c.llama_vocab_is_eog(self._vocab, t))
        self.piece = lru_cache(maxsize=65536)(self._piece)

    def tokenize(self, text: str, *, special: bool, bos: bool = False) -> list[int]:
        """Ids of the text; `special`: control tokens' texts become those tokens; `bos`: what the file adds at the ends."""
        data = text.encode("utf-8", "replace")
        size = len(data) + 8
        while True:
            ids = (ctypes.c_int32 * size)()
            count = c.llama_tokenize(self._vocab, data, len(data), ids, size, bos, special)
            if count >= 0:
                return list(ids[:count])
            if count == -(2**31):
                raise LlamaError("the text is too long to be tokenised")
            size = -count

    def _piece(self, token: int) -> bytes:
        """The bytes a token stands for; special tokens as their text."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = c.llama_token_to_piece(self._vocab, token, buffer, size, 0, True)
            if count >= 0:
                return bytes(buffer.raw[:count])
            size = -count

    def text(self, token: int) -> str:
        """A token's own text as the file writes it ("" for no token)."""
        if token < 0:
            return ""
        return bytes(c.llama_vocab_get_text(self._vocab, token) or b"").decode("utf-8", "replace")

    def specials(self) -> list[TokenInfo]:
        """Every control, unknown and user-defined token that has a text."""
        found = []
        for token in range(self.size):
            attributes = int(c.llama_vocab_get_attr(self._vocab, token))
            if attributes & (CONTROL | USER_DEFINED) and (text := self.text(token)):
                found.append(TokenInfo(id=token, text=text, control=bool(attributes & CONTROL)))
        return found

    @property
    def handle(self) -> Any:
        return self._vocab


class Model:
    """A model file in memory."""

    def __init__(
        self, path: Path, *, exact: bool, gpu_layers: int = 0, devices: Sequence[str] = (), vocabulary_only: bool = False
    ) -> None:
        """Layers go to the `devices` of these names, or to all that llama.cpp finds. Raises LlamaError (NoDevice)."""
        _load_backends(gpu=gpu_layers > 0)
        c.llama_backend_init()
        params = c.llama_model_default_params()
        params.n_gpu_layers = gpu_layers
        params.vocab_only = vocabulary_only
        if exact:
            params.use_extra_bufts = False  # repacked weights make results depend on the batch's size (ADR on exact mode)
        if gpu_layers == 0 or devices:  # with 0 layers and no list a visible GPU is used for large batches all the same
            handles = [_device(name) for name in devices] if gpu_layers else []
            listed = (ctypes.c_void_p * (len(handles) + 1))(*handles, None)
            params.devices = ctypes.cast(listed, ctypes.c_void_p).value
        self.handle: Any = c.llama_model_load_from_file(str(path).encode(), params)
        if not self.handle:
            raise LlamaError("llama.cpp could not load the file")
        self.vocabulary = Vocabulary(self.handle)
        self.context_tokens: int = c.llama_model_n_ctx_train(self.handle)
        # recurrent state has no past: its memory cannot be cut at a token
        self.cuts: bool = not (c.llama_model_is_recurrent(self.handle) or c.llama_model_is_hybrid(self.handle))
        self.embedding_dimensions: int = c.llama_model_n_embd_out(self.handle)

    def meta(self, key: str) -> str | None:
        """A metadata text of the file; None when missing or longer than MAX_META_BYTES."""
        size = 4096
        while size <= MAX_META_BYTES:
            buffer = ctypes.create_string_buffer(size)
            count = c.llama_model_meta_val_str(self.handle, key.encode(), buffer, size)
            if count < 0:
                return None
            if count < size:
                return buffer.value.decode("utf-8", "replace")
            size = count + 1
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextOptions:
    """How a context is made; `context_tokens` is per sequence; `unified`: one memory for all of them, not one for each.

    An embedder's step takes up to `inputs` sequences.
    """

    slots: int
    context_tokens: int
    batch_tokens: int
    threads: int
    exact: bool
    embedding: bool
    unified: bool = False
    inputs: int = 0


class Context:
    """One llama.cpp context with one batch whose arrays numpy sees: no ctypes call per token."""

    def __init__(self, model: Model, options: ContextOptions) -> None:
        """Raises LlamaError when there is not enough memory."""
        self.options = options
        self.cuts = model.cuts
        self._vocabulary_size = model.vocabulary.size
        self._dimensions = model.embedding_dimensions
        self._handle: Any = c.llama_init_from_model(model.handle, _context_params(options))
        if not self._handle:
            raise LlamaError("llama.cpp could not make a context")
        if options.embedding and c.llama_pooling_type(self._handle) == c.LLAMA_POOLING_TYPE_NONE:
            c.llama_free(self._handle)
            params = _context_params(options)
            params.pooling_type = c.LLAMA_POOLING_TYPE_MEAN
            self._handle = c.llama_init_from_model(model.handle, params)
        self._memory: Any = c.llama_get_memory(self._handle)
        self._batch = c.llama_batch_init(options.batch_tokens, 0, 1)
        self._views()

    def _views(self) -> None:
        size, batch = self.options.batch_tokens, self._batch

        def view(pointer: Any, kind: Any) -> npt.NDArray[Any]:
            return np.ctypeslib.as_array(ctypes.cast(pointer, ctypes.POINTER(kind)), (size,))

        self._token = view(batch.token, ctypes.c_int32)
        self._position = view(batch.pos, ctypes.c_int32)
        self._sequences = view(batch.n_seq_id, ctypes.c_int32)
        self._wanted = view(batch.logits, ctypes.c_int8)
        pointers = view(batch.seq_id, ctypes.c_uint64)  # one malloc'ed llama_seq_id each; -> one view over our own array
        self._sequence = np.zeros(size, dtype=np.int32)
        self._original_pointers = pointers[:size].copy()
        pointers[:size] = self._sequence.ctypes.data + 4 * np.arange(size, dtype=np.uint64)
        self._sequences[:] = 1

    def fill(self, at: int, sequence: int, position: int, ids: Sequence[int], *, last_wanted: bool) -> int:
        """Puts the ids into the batch from place `at`; returns the next free place."""
        end = at + len(ids)
        self._token[at:end] = ids
        self._position[at:end] = np.arange(position, position + len(ids), dtype=np.int32)
        self._sequence[at:end] = sequence
        self._wanted[at:end] = self.options.embedding
        if last_wanted:
            self._wanted[end - 1] = 1
        return end

    def want_all(self, at: int, end: int) -> None:
        """Logits of each of these places are wanted."""
        self._wanted[at:end] = 1

    def decode(self, count: int) -> int:
        """Runs the first `count` places of the batch to the end; 0 is good, anything else llama.cpp's code."""
        self._batch.n_tokens = count
        code = int(c.llama_decode(self._handle, self._batch))
        c.llama_synchronize(self._handle)  # a graphics card has only been told so far: who takes the time wants it done
        return code

    def logits(self, rows: int) -> npt.NDArray[np.float32]:
        """Raw logits of the wanted places in batch order, shape (rows, vocabulary); overwritten by the next decode."""
        pointer = ctypes.cast(c.llama_get_logits(self._handle), ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(pointer, (rows, self._vocabulary_size))

    def embedding(self, sequence: int) -> npt.NDArray[np.float32]:
        """The pooled vector of a sequence of the last decode (a copy); raises LlamaError."""
        pointer = c.llama_get_embeddings_seq(self._handle, sequence)
        if not pointer:
            raise LlamaError("the model gave no embedding")
        return np.ctypeslib.as_array(ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float)), (self._dimensions,)).copy()

    def forget(self, sequence: int, since: int) -> bool:
        """Drops a sequence's memory from a position on; False (and all of it is dropped) if this model cannot cut there."""
        if self._memory is None:
            return since == 0
        if c.llama_memory_seq_rm(self._memory, sequence, since, -1):
            return True
        c.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        return False

    def copy(self, source: int, target: int) -> None:
        """The target's memory becomes the source's, by the next decode at the latest."""
        if self._memory is not None:
            c.llama_memory_seq_rm(self._memory, target, -1, -1)
            c.llama_memory_seq_cp(self._memory, source, target, -1, -1)  # parts cannot be copied between sequences

    def clear(self) -> None:
        """Drops everything."""
        if self._memory is not None:
            c.llama_memory_clear(self._memory, True)

    def close(self) -> None:
        np.ctypeslib.as_array(ctypes.cast(self._batch.seq_id, ctypes.POINTER(ctypes.c_uint64)), (self.options.batch_tokens,))[
            :
        ] = self._original_pointers
        c.llama_batch_free(self._batch)
        c.llama_free(self._handle)


def _load_backends(*, gpu: bool) -> None:
    """The backends that lie next to the library; without `gpu` no graphics driver is opened."""
    folder = backends.library_folder()
    if folder is None or not backends.load(c.llama_cpp._lib, folder, gpu=gpu):
        raise LlamaError("none of llama.cpp's backends loads on this processor")


def _device(name: str) -> int:
    """llama.cpp's handle of a device. Raises NoDevice."""
    find: Any = c.llama_cpp._lib.ggml_backend_dev_by_name
    find.restype, find.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    handle = find(name.encode())
    if not handle:
        raise NoDevice(f"the graphics device {name} is gone")
    return int(handle)


def _context_params(options: ContextOptions) -> Any:
    params = c.llama_context_default_params()
    params.n_ctx = options.batch_tokens if options.embedding else options.context_tokens * options.slots
    params.n_seq_max = options.inputs if options.embedding else options.slots
    params.n_outputs_max = options.batch_tokens if options.embedding else max(options.slots, MOST_LOGITS)  # 0: of all
    params.n_outputs_max_per_seq = 0 if options.embedding else MOST_LOGITS
    params.n_batch = options.batch_tokens
    params.n_ubatch = min(options.batch_tokens, 512) if not options.embedding else options.batch_tokens
    params.n_threads = params.n_threads_batch = options.threads
    params.kv_unified = options.unified or options.embedding  # an embedder's inputs share what one step needs
    params.embeddings = options.embedding
    if options.exact:
        params.flash_attn_type = c.LLAMA_FLASH_ATTN_TYPE_DISABLED
    return params


def build_info() -> str:
    """What llama.cpp was built with, in one line."""
    return bytes(c.llama_print_system_info()).decode("utf-8", "replace").strip()
