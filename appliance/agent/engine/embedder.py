"""The loop of an embedding model: inputs of all waiting jobs packed into batches, one vector each."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from appliance.agent.engine.batching import next_chunk
from appliance.agent.engine.inbox import Inbox, Key
from appliance.agent.engine.llama import Context, LlamaError
from appliance.agent.engine.prepare import PreparedInputs
from appliance.agent.engine.protocol import FromEngine
from appliance.agent.engine.running import key_of, no_slot
from iamine.wire.messages import Cancel, Embedded, Failed, Job, Progress, Started

DIGITS = 7  # a float32 has no more


@dataclass(slots=True, kw_only=True)
class Work:
    """A job with the vectors it has so far, in the order of its inputs."""

    job: Job
    inputs: tuple[tuple[int, ...], ...]
    vectors: list[tuple[float, ...]] = field(default_factory=list)
    told: float = 0.0

    def tokens(self, count: int) -> int:
        """Tokens of the first `count` inputs."""
        return sum(map(len, self.inputs[:count]))


class Embedder:
    """Runs embedding jobs in the order they come. `put` may raise, which ends the loop."""

    def __init__(
        self,
        context: Context,
        *,
        inbox: Inbox,
        waiting: int,
        max_step_s: float,
        progress_s: float,
        first_chunk_tokens: int,
        put: Callable[[FromEngine], None],
    ) -> None:
        self._context = context
        self._inbox = inbox
        self._waiting = waiting
        self._max_step_s = max_step_s
        self._progress_s = progress_s
        self._put = put
        self._works: deque[Work] = deque()
        self._chunk_tokens = first_chunk_tokens

    def run(self) -> None:
        """Never returns; raises what `put` raises."""
        while True:
            self._receive(0 if self._works else None)
            if self._works:
                self._step()
                self._tell()

    def _receive(self, timeout_s: float | None) -> None:
        for item in self._inbox.receive(timeout_s):
            if isinstance(item, Cancel):
                self._cancel(key_of(item))
            elif not self._inbox.was_cancelled(key_of(item.job)):
                assert isinstance(item, PreparedInputs), "prompts never reach an embedding model"
                self._enqueue(item)

    def _cancel(self, key: Key) -> None:
        kept = deque(w for w in self._works if key_of(w.job) != key)
        if len(kept) == len(self._works):
            self._inbox.remember(key)
        self._works = kept

    def _enqueue(self, item: PreparedInputs) -> None:
        job, work = item.job, Work(job=item.job, inputs=item.inputs, told=time.monotonic())
        if len(self._works) >= self._waiting:
            self._put(no_slot(job))
            return
        self._works.append(work)
        self._put(Started(job=job.job, epoch=job.epoch, prompt_tokens=work.tokens(len(work.inputs))))

    def _step(self) -> None:
        packed = self._pack()
        at = 0
        self._context.clear()
        for sequence, (_, ids) in enumerate(packed):
            at = self._context.fill(at, sequence, 0, ids, last_wanted=True)
        began = time.monotonic()
        code = self._context.decode(at)
        took_s = time.monotonic() - began
        size = self._context.options.batch_tokens
        self._chunk_tokens = next_chunk(
            self._chunk_tokens, prompt_tokens=at, took_s=took_s, max_step_s=self._max_step_s, batch_tokens=size
        )
        try:
            if code != 0:
                raise LlamaError(f"llama.cpp could not run the step (code {code})")
            for sequence, (work, _) in enumerate(packed):
                work.vectors.append(self._vector(sequence))
        except LlamaError as error:
            self._lose([work for work, _ in packed], str(error))
        self._finish()

    def _pack(self) -> list[tuple[Work, tuple[int, ...]]]:
        """The next inputs, across jobs, that fit one batch; at least one."""
        options = self._context.options
        packed: list[tuple[Work, tuple[int, ...]]] = []
        tokens = 0
        for work in self._works:
            for ids in work.inputs[len(work.vectors) :]:
                tokens += len(ids)
                if packed and (tokens > min(self._chunk_tokens, options.batch_tokens) or len(packed) >= options.inputs):
                    return packed
                packed.append((work, ids))
        return packed

    def _vector(self, sequence: int) -> tuple[float, ...]:
        vector = self._context.embedding(sequence).astype(np.float64)
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length == 0.0:
            raise LlamaError("the model gave no finite embedding")
        return tuple(round(float(x), DIGITS) for x in vector / length)

    def _lose(self, works: list[Work], message: str) -> None:
        for work in {id(w): w for w in works}.values():
            self._works.remove(work)
            job = work.job
            self._put(Failed(job=job.job, epoch=job.epoch, code="engine_lost", message=message, retryable=True))

    def _finish(self) -> None:
        while self._works and len(self._works[0].vectors) == len(self._works[0].inputs):
            work = self._works.popleft()
            self._put(
                Embedded(
                    job=work.job.job,
                    epoch=work.job.epoch,
                    vectors=tuple(work.vectors),
                    prompt_tokens=work.tokens(len(work.inputs)),
                )
            )

    def _tell(self) -> None:
        now = time.monotonic()
        for work in self._works:
            if now - work.told >= self._progress_s:
                work.told = now
                done, total = work.tokens(len(work.vectors)), work.tokens(len(work.inputs))
                self._put(Progress(job=work.job.job, epoch=work.job.epoch, done_tokens=done, total_tokens=total))
