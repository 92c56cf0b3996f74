"""What is known of a live job's answer: its token ids, who gave them, and where its reader listens."""

from dataclasses import dataclass, field

from iamine.ids import WorkerId
from iamine.wire.limits import MAX_REST_CHARACTERS, MAX_TOKEN_BYTES
from iamine.wire.messages import ChatWork, CompletionWork, EmbeddingWork, Job, SequenceStep, Started, Work
from pool.hub.stream import Stream
from pool.routing.effects import Send
from pool.routing.types import Begun, Delta, Ended, JobOrder, Segment, Vectors

TEMPLATE_TOKENS = 16_384  # what a chat template may add by itself


@dataclass(slots=True)
class Journal:
    """A live job. `ids` are the tokens accepted so far: enough to go on anywhere. `characters` counts its text."""

    order: JobOrder
    stream: Stream
    ids: list[int] = field(default_factory=list)
    givers: list[tuple[WorkerId, int]] = field(default_factory=list)
    prompt_tokens: int = 0
    cached_tokens: int = 0
    prompt_sha256: str = ""
    characters: int = 0

    @classmethod
    def of(cls, order: JobOrder, stream: Stream) -> "Journal":
        """A new job's, or that of one which an earlier pool had begun."""
        had = order.resumed
        if had is None:
            return cls(order=order, stream=stream)
        return cls(
            order=order,
            stream=stream,
            ids=list(had.ids),
            givers=list(had.givers),
            prompt_tokens=had.prompt_tokens,
            cached_tokens=had.cached_tokens,
            prompt_sha256=had.prompt_sha256,
        )

    def job(self, send: Send) -> Job:
        """The message that makes a worker go on from here."""
        order = self.order
        return Job(
            job=order.job,
            epoch=send.epoch,
            file_sha256=send.file_sha256,
            work=order.work,
            sampling=order.sampling,
            now=order.wall_time_s,
            prefix=tuple(self.ids),
            template_sha256=send.template_sha256,
            prompt_sha256=self.prompt_sha256 if self.ids else "",
            hold_s=order.hold_s,
        )

    def begun(self, worker: WorkerId, started: Started) -> Begun:
        """The prompt is tokenised by this worker; its tokens are counted from here on."""
        if not self.ids:
            self.prompt_tokens = started.prompt_tokens
            self.cached_tokens = min(started.cached_tokens, started.prompt_tokens)
            self.prompt_sha256 = started.prompt_sha256
        if not self.givers or self.givers[-1][0] != worker:
            self.givers.append((worker, len(self.ids)))
        return Begun(
            worker=worker,
            epoch=started.epoch,
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens,
            reasoning=started.reasoning,
            marks=started.marks,
        )

    @property
    def most_prompt_tokens(self) -> int:
        """What its prompt can have at most: no token is shorter than a byte, and a template says things of its own."""
        return TEMPLATE_TOKENS + 2 * size_bytes(self.order.work) + len(self.ids)

    def takes(self, text: str, tokens: int) -> bool:
        """Whether so much text can belong to the answer once it has `tokens` more tokens; it is counted if so."""
        self.characters += len(text)
        return self.characters <= MAX_REST_CHARACTERS + MAX_TOKEN_BYTES * (len(self.ids) + tokens)

    def append(self, step: SequenceStep) -> Delta:
        """Tokens that count."""
        self.ids.extend(step.ids)
        return Delta(index=step.index, ids=step.ids, text=step.text, logprobs=step.logprobs)

    def segments(self) -> tuple[Segment, ...]:
        """Who gave which tokens, in order; a worker that gave none is left out."""
        stops = [start for _, start in self.givers[1:]] + [len(self.ids)]
        pairs = zip(self.givers, stops, strict=True)
        return tuple(Segment(worker=worker, start=start, stop=stop) for (worker, start), stop in pairs if stop > start)

    def ended(self, reason: str, text: str, stop: str = "") -> Ended:
        """The answer is whole."""
        return Ended(
            reason="length" if reason == "length" else "stop",
            text=text,
            tokens=len(self.ids),
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens,
            segments=self.segments(),
            stop=stop if stop in self.order.sampling.stop else "",
        )

    def embedded(self, worker: WorkerId, vectors: tuple[tuple[float, ...], ...], prompt_tokens: int) -> Vectors:
        """The vectors are here."""
        return Vectors(
            vectors=vectors,
            prompt_tokens=prompt_tokens,
            segments=(Segment(worker=worker, start=0, stop=0),),
        )


def size_bytes(work: Work) -> int:
    """Bytes of what is asked; token ids count one each."""
    match work:
        case ChatWork():
            return memoryview(work.messages).nbytes + memoryview(work.tools).nbytes + len(work.opening.encode())
        case CompletionWork():
            return _bytes(work.prompt)
        case EmbeddingWork():
            return sum(_bytes(one) for one in work.inputs)


def _bytes(prompt: str | tuple[int, ...]) -> int:
    return len(prompt.encode()) if isinstance(prompt, str) else len(prompt)
