"""A job's events as the bytes of its journal, and back: what a reader of the answer needs to be fed again from the start."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from iamine.ids import WorkerId
from iamine.wire.messages import TokenLogprob
from pool.routing.types import Begun, Delta, Ended, JobEvent, Prefilled, Queued, Resumed, Segment, Standing, Vectors


class Begin(msgspec.Struct, frozen=True, array_like=True, tag="b"):
    """A worker took the job: Begun and Standing."""

    worker: str
    epoch: int
    prompt_tokens: int
    cached_tokens: int
    reasoning: bool
    file_sha256: str
    template_sha256: str
    prompt_sha256: str
    marks: tuple[str, ...] = ()


class Tokens(msgspec.Struct, frozen=True, array_like=True, tag="t"):
    """A Delta."""

    index: int
    ids: tuple[int, ...]
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


class End(msgspec.Struct, frozen=True, array_like=True, tag="e"):
    """Ended."""

    reason: Literal["stop", "length"]
    text: str
    tokens: int
    prompt_tokens: int
    cached_tokens: int
    segments: tuple[tuple[str, int, int], ...]
    stop: str


Entry = Begin | Tokens | End
_DECODER = msgspec.msgpack.Decoder(tuple[int, tuple[Entry, ...]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some events of a job, the first of them being its event number `offset`; the standing if one of them is a beginning."""

    offset: int
    events: list[JobEvent]
    standing: Standing | None


def write(events: Iterable[JobEvent], standing: Standing, offset: int) -> bytes:
    """A page of events that make an answer: neither Queued nor Prefilled."""
    return msgspec.msgpack.encode((offset, [_entry(event, standing) for event in events]))


def read(written: bytes) -> Page:
    """The page. Raises msgspec.DecodeError for what is none."""
    offset, entries = _DECODER.decode(written)
    standing = None
    for entry in entries:
        if isinstance(entry, Begin):
            told = entry.file_sha256, entry.template_sha256, entry.prompt_sha256
            standing = Standing(file_sha256=told[0], template_sha256=told[1], prompt_sha256=told[2])
    return Page(offset=offset, events=[_event(entry) for entry in entries], standing=standing)


def resumed(events: Sequence[JobEvent], standing: Standing) -> Resumed:
    """What the scheduler needs to go on after these events."""
    ids: list[int] = []
    givers: list[tuple[WorkerId, int]] = []
    prompt_tokens = cached_tokens = epoch = 0
    for event in events:
        match event:
            case Begun():
                prompt_tokens, cached_tokens, epoch = event.prompt_tokens, event.cached_tokens, event.epoch
                if not givers or givers[-1][0] != event.worker:
                    givers.append((event.worker, len(ids)))
            case Delta():
                ids += event.ids
            case _:
                pass
    return Resumed(
        ids=tuple(ids),
        givers=tuple(givers),
        prompt_tokens=prompt_tokens,
        cached_tokens=cached_tokens,
        file_sha256=standing.file_sha256,
        template_sha256=standing.template_sha256,
        prompt_sha256=standing.prompt_sha256,
        epoch=epoch,
    )


def _entry(event: JobEvent, standing: Standing) -> Entry:
    match event:
        case Begun():
            told = standing.file_sha256, standing.template_sha256, standing.prompt_sha256
            read = event.prompt_tokens, event.cached_tokens
            return Begin(event.worker, event.epoch, *read, event.reasoning, *told, event.marks)
        case Delta():
            return Tokens(event.index, event.ids, event.text, event.logprobs)
        case Ended():
            segments = tuple((one.worker, one.start, one.stop) for one in event.segments)
            return End(event.reason, event.text, event.tokens, event.prompt_tokens, event.cached_tokens, segments, event.stop)
        case Queued() | Prefilled() | Vectors():
            raise TypeError(f"{type(event).__name__} is no part of an answer")


def _event(entry: Entry) -> JobEvent:
    match entry:
        case Begin():
            return Begun(
                worker=WorkerId(entry.worker),
                epoch=entry.epoch,
                prompt_tokens=entry.prompt_tokens,
                cached_tokens=entry.cached_tokens,
                reasoning=entry.reasoning,
                marks=entry.marks,
            )
        case Tokens():
            return Delta(index=entry.index, ids=entry.ids, text=entry.text, logprobs=entry.logprobs)
        case End():
            segments = tuple(Segment(worker=WorkerId(worker), start=start, stop=stop) for worker, start, stop in entry.segments)
            return Ended(
                reason=entry.reason,
                text=entry.text,
                tokens=entry.tokens,
                prompt_tokens=entry.prompt_tokens,
                cached_tokens=entry.cached_tokens,
                segments=segments,
                stop=entry.stop,
            )
