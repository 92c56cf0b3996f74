"""The decode loop: one thread, one context, one batch over all sequences (continuous batching).

Owns the slots. Every step takes what the inbox has, so a cancel frees its slot within one step. A sequence that must
wait (its rate is capped, its grammar thinks) is just not put into the batch.
"""

import select
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from appliance.agent.engine.batching import LEAST_SHARED_TOKENS, Take, Want, common, next_chunk, plan_step
from appliance.agent.engine.draw import NOTHING_ALLOWED, Logits, adjusted, draw, is_plain_greedy
from appliance.agent.engine.guessing import Lookup, StepCost, worth
from appliance.agent.engine.inbox import Inbox, Key, Ready
from appliance.agent.engine.llama import Context, Vocabulary
from appliance.agent.engine.logprobs import token_logprob
from appliance.agent.engine.oracle import Accepted, OracleReady, Oracles, Rejected
from appliance.agent.engine.outbox import both
from appliance.agent.engine.places import Places
from appliance.agent.engine.protocol import FromEngine
from appliance.agent.engine.running import Asked, Limits, Running, key_of, no_slot
from appliance.agent.engine.sequence import Prepared, Sequence
from iamine.wire.messages import Cancel, Failed, Finished, Progress, SequenceStep, Started, Step

GRAMMAR_POLL_S = 0.002  # a verdict takes about 0.05 ms: waiting a moment keeps the sequence in step with the others
MAX_LOST_STEPS = 3
CATCH_UP_S = 0.05  # a capped sequence that was late may be early by so much afterwards


class ContextLost(Exception):
    """llama.cpp failed several times in a row: the process must start anew."""


class Decoder:
    """Runs chat and completion jobs. `put` sends a frame; it may raise, which ends the loop."""

    def __init__(
        self,
        context: Context,
        vocabulary: Vocabulary,
        *,
        limits: Limits,
        inbox: Inbox,
        oracles: Oracles,
        put: Callable[[FromEngine], None],
    ) -> None:
        self._context = context
        self._vocabulary = vocabulary
        self._limits = limits
        self._inbox = inbox
        self._oracles = oracles
        self._put = put
        self._slots = Places(context, context.options.slots)
        self._running: dict[int, Running] = {}
        self._waiting: deque[Prepared] = deque()
        self._chunk_tokens = limits.first_chunk_tokens
        self._lost_steps = 0
        self._told_waiting = 0.0
        self._cost = StepCost()
        self._steps: list[SequenceStep] = []
        self._finished: list[Finished | Failed] = []

    def run(self) -> None:
        """Never returns; raises what `put` raises, or ContextLost."""
        while True:
            self._receive(self._patience())
            self._admit()
            self._hear_grammars(0.0)
            now = time.monotonic()
            wants = [w for r in self._running.values() if (w := self._want(r, now)) is not None]
            if wants:
                self._step(wants)
                self._hear_grammars(GRAMMAR_POLL_S)
            self._tell_progress()
            self._emit()

    # ---- jobs come and go

    def _patience(self) -> float | None:
        """How long to wait for the inbox: not at all when a job can start or go on; None when there is none."""
        if self._waiting and len(self._running) < len(self._slots):
            return 0.0
        if not self._running:
            return None
        now = time.monotonic()
        waits = [
            GRAMMAR_POLL_S if r.asked or (not r.oracle_ready and r.decoding) else r.due - now for r in self._running.values()
        ]
        return max(0.0, min(waits))

    def _receive(self, timeout_s: float | None) -> None:
        for item in self._inbox.receive(timeout_s):
            if isinstance(item, Cancel):
                self._cancel(key_of(item))
            elif not self._inbox.was_cancelled(key_of(item.job)):
                self._enqueue(item)

    def _enqueue(self, item: Ready) -> None:
        assert isinstance(item, Prepared), "embedding inputs never reach a model that writes text"
        if len(self._waiting) + len(self._running) < self._limits.waiting + len(self._slots):
            self._waiting.append(item)
        else:
            self._put(no_slot(item.job))

    def _cancel(self, key: Key) -> None:
        running = next((r for r in self._running.values() if key_of(r.job) == key), None)
        if running is not None:
            self._release(running)
            return
        kept = [p for p in self._waiting if key_of(p.job) != key]
        if len(kept) == len(self._waiting):
            self._inbox.remember(key)
        self._waiting = deque(kept)

    def _admit(self) -> None:
        while self._waiting and len(self._running) < len(self._slots):
            self._start(self._waiting.popleft())

    def _start(self, prepared: Prepared) -> None:
        sequence = Sequence.begin(prepared, self._vocabulary, self._context.options.context_tokens)
        job, ids = prepared.job, sequence.pending(0)
        if ended := sequence.ended():
            self._tell_started(prepared, 0)
            self._put(ended)
            return
        chosen = self._slots.begin(ids, self._running)
        running = Running(sequence=sequence, slot=chosen.slot, held=chosen.common, told=time.monotonic())
        self._follow(running, ids)
        self._tell_started(prepared, max(running.held, running.shared))
        if job.sampling.grammar is not None:
            running.oracle, running.oracle_ready = self._oracles.open(job.sampling.grammar, job.prefix), False
        self._running[chosen.slot] = running

    def _tell_started(self, prepared: Prepared, cached: int) -> None:
        job = prepared.job
        self._put(
            Started(
                job=job.job,
                epoch=job.epoch,
                prompt_tokens=len(prepared.prompt),
                cached_tokens=min(cached, len(prepared.prompt)),
                prompt_sha256=prepared.prompt_sha256,
                reasoning=prepared.reasoning,
                marks=tuple(prepared.marks.values()),
            )
        )

    def _follow(self, running: Running, ids: list[int]) -> None:
        """If another one is reading a prompt that begins like this one, this one waits and takes it over."""
        for leader in self._running.values():
            same = 0 if leader.decoding else min(common(leader.sequence.pending(0), ids), len(ids) - 1)
            if same >= max(running.held, running.shared) + LEAST_SHARED_TOKENS:
                running.leader, running.shared = leader, same

    def _follows(self, running: Running) -> bool:
        """Whether it must wait for its leader; once the leader has read what they share, that is copied."""
        leader = running.leader
        if leader is None:
            return False
        if self._running.get(leader.slot) is leader and leader.held < running.shared:
            return True
        running.leader = None
        running.held = self._slots.adopt(running.slot, running.sequence.pending(0), running.held)
        return False

    def _release(self, running: Running) -> None:
        """The slot is free; its memory stays for a later job with the same beginning."""
        del self._running[running.slot]
        self._slots.free(running.slot)
        if running.oracle is not None:
            running.oracle.close()

    # ---- one step

    def _want(self, running: Running, now: float) -> Want | None:
        if running.asked or running.due > now or (running.decoding and not running.oracle_ready) or self._follows(running):
            return None
        return Want(slot=running.slot, pending=running.sequence.ids - running.held, decoding=running.decoding)

    def _step(self, wants: list[Want]) -> None:
        options = self._context.options
        takes = plan_step(wants, batch_tokens=options.batch_tokens, chunk_tokens=self._chunk_tokens)
        guess = self._guess(takes)
        count, prompt_tokens = self._fill(takes, guess)
        began = time.monotonic()
        code = self._context.decode(count)
        if code != 0:
            self._lose(takes, code)
            return
        self._lost_steps = 0
        took_s = time.monotonic() - began
        if prompt_tokens:
            self._chunk_tokens = next_chunk(
                self._chunk_tokens,
                prompt_tokens=prompt_tokens,
                took_s=took_s,
                max_step_s=self._limits.max_step_s,
                batch_tokens=options.batch_tokens,
            )
        elif len(takes) == 1:
            self._cost.took(count, took_s)
        if guess:
            self._draw_guessed(takes[0], guess)
        else:
            self._draw_all([t for t in takes if t.complete])

    def _guess(self, takes: list[Take]) -> list[int]:
        """Ids that may come next, when one answer has the step for itself: each sequence more would be a pass more."""
        running = self._running[takes[0].slot]
        plain = self._limits.guess and self._context.cuts and self._limits.max_tps is None and running.oracle is None
        if len(takes) != 1 or not running.decoding or not plain:
            return []
        sequence = running.sequence
        if running.lookup is None:
            running.lookup = Lookup(sequence.pending(0))
        room = sequence.limit - len(sequence.answer) - 1
        found = running.lookup.guess(min(room, worth(running.trust.share, self._cost.more)))
        if not found:
            running.trust.rested()
        return found

    def _fill(self, takes: list[Take], guess: list[int]) -> tuple[int, int]:
        """Writes the batch; returns how many ids it has and how many of them are from prompts."""
        at = prompt_tokens = 0
        for take in takes:
            running = self._running[take.slot]
            ids = running.sequence.pending(running.held)[: take.count]
            at = self._context.fill(at, take.slot, running.held, ids, last_wanted=take.complete)
            running.held += take.count
            self._slots.extend(take.slot, ids)
            prompt_tokens += 0 if running.decoding else take.count
        if guess:
            first, at = at, self._context.fill(at, takes[0].slot, self._running[takes[0].slot].held, guess, last_wanted=True)
            self._context.want_all(first, at)
            self._slots.extend(takes[0].slot, guess)
        return at, prompt_tokens

    def _lose(self, takes: list[Take], code: int) -> None:
        """Fails the sequences of a step that llama.cpp refused; raises ContextLost when it goes on like this."""
        for take in takes:
            running = self._running[take.slot]
            self._slots.lose(take.slot)
            self._fail(running, "engine_lost", f"llama.cpp could not run the step (code {code})", retryable=True)
        self._lost_steps += 1
        if self._lost_steps >= MAX_LOST_STEPS:
            self._emit()
            raise ContextLost(f"llama.cpp failed {self._lost_steps} steps in a row (code {code})")

    def _draw_all(self, takes: list[Take]) -> None:
        rows = self._context.logits(len(takes)) if takes else np.empty((0, 0), dtype=np.float32)
        for row, take in zip(rows, takes, strict=True):
            running = self._running[take.slot]
            running.decoding = True
            self._draw(running, row)

    def _draw_guessed(self, take: Take, guess: list[int]) -> None:
        """Draws as long as what is drawn is what was guessed, and one more; what was guessed wrongly is forgotten."""
        running, right = self._running[take.slot], 0
        for row, guessed in zip(self._context.logits(1 + len(guess)), [*guess, -1], strict=True):
            self._draw(running, row)
            if self._running.get(take.slot) is not running or running.sequence.answer[-1] != guessed:
                break
            right += 1
        running.held += right
        running.trust.told(len(guess), right)
        self._slots.cut(take.slot, running.held)

    def _draw(self, running: Running, raw: Logits) -> None:
        sampling = running.job.sampling
        if running.oracle is None and is_plain_greedy(sampling):
            self._commit(running, int(raw.argmax()), raw)
            return
        logits = adjusted(raw, sampling, running.sequence.counts, self._vocabulary.eog if sampling.ignore_eos else ())
        token = draw(logits, sampling, len(running.sequence.answer))
        if token == NOTHING_ALLOWED:
            self._fail(running, "engine_lost", "the model gave no finite logits", retryable=True)
        elif running.oracle is None:
            self._commit(running, token, raw)
        else:
            running.asked = Asked(token=token, logits=logits, raw=raw.copy())
            if running.oracle_ready:
                running.oracle.ask(token)

    def _commit(self, running: Running, token: int, raw: Logits) -> None:
        """The token is drawn: it goes out with this step's frame."""
        wanted = running.job.sampling.logprobs
        ends = token in self._vocabulary.eog
        logprob = None if wanted is None or ends else token_logprob(raw, token, wanted, self._vocabulary.piece)
        taken = running.sequence.take(token, logprob)
        if taken.step is not None:
            self._take_step(taken.step)
            if running.lookup is not None:
                running.lookup.add((token,))
        if self._limits.max_tps is not None:
            running.due = max(running.due, time.monotonic() - CATCH_UP_S) + 1.0 / self._limits.max_tps
        if taken.finished is not None:
            self._finished.append(taken.finished)
            self._release(running)

    def _take_step(self, step: SequenceStep) -> None:
        """Into this step's frame, where an answer stands once."""
        last = self._steps[-1] if self._steps else None
        if last is not None and (last.job, last.epoch) == (step.job, step.epoch):
            self._steps[-1] = both(last, step)
        else:
            self._steps.append(step)

    def _fail(self, running: Running, code: str, message: str, *, retryable: bool) -> None:
        job = running.job
        self._finished.append(Failed(job=job.job, epoch=job.epoch, code=code, message=message, retryable=retryable))  # type: ignore[arg-type]
        self._release(running)

    # ---- grammars

    def _hear_grammars(self, timeout_s: float) -> None:
        """Takes the verdicts that are there, waiting at most `timeout_s` for those of drawn tokens."""
        open_ones = [r for r in self._running.values() if r.oracle is not None and (r.asked or not r.oracle_ready)]
        for running in open_ones:
            if running.oracle is not None:
                running.oracle.push()
        deadline = time.monotonic() + timeout_s
        while open_ones:
            left = max(0.0, deadline - time.monotonic()) if any(r.asked for r in open_ones) else 0.0
            readable, _, _ = select.select([r.oracle for r in open_ones if r.oracle], [], [], left)
            if not readable:
                return
            for running in [r for r in open_ones if r.oracle in readable]:
                self._hear(running)
            open_ones = [r for r in open_ones if r.slot in self._running and (r.asked or not r.oracle_ready)]

    def _hear(self, running: Running) -> None:
        assert running.oracle is not None, "only sequences with a grammar are heard"
        asked = running.asked
        match running.oracle.hear():
            case None:
                return
            case OracleReady():
                running.oracle_ready = True
                if asked is not None:
                    running.oracle.ask(asked.token)
            case Accepted() if asked is not None:
                running.asked = None
                self._commit(running, asked.token, asked.raw)
            case Rejected() as verdict if asked is not None:
                running.asked = None
                self._draw_allowed(running, asked, verdict)
            case verdict:
                message = getattr(verdict, "message", "the grammar's process lost its place")
                self._fail(running, "bad_grammar", message, retryable=False)

    def _draw_allowed(self, running: Running, asked: Asked, verdict: Rejected) -> None:
        """Draws again among the tokens that the grammar allows here."""
        allowed = verdict.mask(self._vocabulary.size)
        token = draw(asked.logits, running.job.sampling, len(running.sequence.answer), allowed)
        if token != NOTHING_ALLOWED:
            assert running.oracle is not None, "a verdict has an oracle"
            running.oracle.accept(token)
            self._commit(running, token, asked.raw)
        elif any(allowed[i] for i in self._vocabulary.eog):  # complete, but `ignore_eos` bans the end
            self._commit(running, min(self._vocabulary.eog), asked.raw)
        else:
            self._fail(running, "bad_grammar", "the grammar allows no token here", retryable=False)

    # ---- frames

    def _tell_progress(self) -> None:
        """A Progress frame each `progress_s` for every prompt that is being read, or waits for a slot."""
        now = time.monotonic()
        if self._waiting and now - self._told_waiting >= self._limits.progress_s:
            self._told_waiting = now
            for waiting in self._waiting:
                job, total = waiting.job, len(waiting.prompt)
                self._put(Progress(job=job.job, epoch=job.epoch, done_tokens=0, total_tokens=total))
        for running in self._running.values():
            if not running.decoding and now - running.told >= self._limits.progress_s:
                running.told = now
                job, total = running.job, len(running.sequence.prompt)
                self._put(Progress(job=job.job, epoch=job.epoch, done_tokens=min(running.held, total), total_tokens=total))

    def _emit(self) -> None:
        """One Step frame for all that was drawn, then the ends."""
        if self._steps:
            self._put(Step(sequences=tuple(self._steps)))
            self._steps = []
        for frame in self._finished:
            self._put(frame)
        self._finished = []
