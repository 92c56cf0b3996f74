"""One answer in the making: the ids so far, what of their text was shown, and when it ends. No I/O, no clock."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from appliance.agent.engine.text import VisibleText
from iamine.wire.messages import Finished, Job, SequenceStep, TokenLogprob


class Pieces(Protocol):
    """What a sequence must know of a vocabulary."""

    @property
    def eog(self) -> Collection[int]: ...
    @property
    def piece(self) -> Callable[[int], bytes]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A job that may run: its prompt as ids, checked; its constraint, if any, is still as it came.

    `reasoning`: the prompt ended inside the model's reasoning. `marks`: tokens to be told from the same characters written
    as others, by their texts.
    """

    job: Job
    prompt: tuple[int, ...]
    prompt_sha256: str
    reasoning: bool = False
    marks: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a drawn token led to."""

    step: SequenceStep | None
    finished: Finished | None


@dataclass(slots=True, kw_only=True)
class Sequence:
    """The answer of one job; `answer` begins with the prefix of a continued job. `limit`: tokens of the answer at most."""

    job: Job
    prompt: tuple[int, ...]
    limit: int
    vocabulary: Pieces
    answer: list[int] = field(default_factory=list)
    counts: Counter[int] = field(default_factory=Counter)
    visible: VisibleText = field(default_factory=VisibleText)
    marks: Collection[int] = ()

    @classmethod
    def begin(cls, prepared: Prepared, vocabulary: Pieces, context_tokens: int) -> "Sequence":
        """A sequence as it is after the job's prefix: text shown by then is not shown again."""
        job = prepared.job
        limit = min(job.sampling.max_tokens, context_tokens - len(prepared.prompt))
        visible = VisibleText(job.sampling.stop, marks=bool(prepared.marks))
        new = cls(
            job=job, prompt=prepared.prompt, limit=limit, vocabulary=vocabulary, visible=visible, marks=prepared.marks.keys()
        )
        for token in job.prefix:
            new._append(token)
        return new

    @property
    def ids(self) -> int:
        """How many ids prompt and answer have together."""
        return len(self.prompt) + len(self.answer)

    def pending(self, held: int) -> list[int]:
        """The ids from place `held` of prompt + answer on."""
        if held >= len(self.prompt):
            return self.answer[held - len(self.prompt) :]
        return [*self.prompt[held:], *self.answer]

    def ended(self) -> Finished | None:
        """The end, if the tokens so far reached it (also right after a prefix)."""
        if self.visible.stop is not None:
            return self._finish("stop")
        return self._finish("length") if len(self.answer) >= self.limit else None

    def take(self, token: int, logprob: TokenLogprob | None = None) -> Taken:
        """Appends the drawn token; an end-of-generation token ends the answer and is no part of it."""
        if token in self.vocabulary.eog:
            return Taken(step=None, finished=self._finish("stop"))
        index = len(self.answer)
        text = self._append(token)
        job = self.job
        step = SequenceStep(
            job=job.job, epoch=job.epoch, index=index, ids=(token,), text=text, logprobs=() if logprob is None else (logprob,)
        )
        return Taken(step=step, finished=self.ended())

    def _append(self, token: int) -> str:
        self.answer.append(token)
        self.counts[token] += 1
        return self.visible.feed(self.vocabulary.piece(token), mark=token in self.marks)

    def _finish(self, reason: Literal["stop", "length"]) -> Finished:
        text = self.visible.finish()
        return Finished(
            job=self.job.job,
            epoch=self.job.epoch,
            tokens=len(self.answer),
            reason="stop" if self.visible.stop is not None else reason,
            text=text,
            stop=self.visible.stop or "",
        )
