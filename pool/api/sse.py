"""Server-sent events: an answer's events as the bytes of a stream, in the order they come."""

from collections.abc import Mapping

from pool.dispatch.events import Accepted, AnswerEvent, Asks, ChoiceDelta, ChoiceEnded, Done, Moved, Reading, Thinking, Waiting
from pool.openai.chunks import DONE, ChatChunks, TextChunks, comment, error_event
from pool.openai.types import Origin

HEADERS: Mapping[str, str] = {"cache-control": "no-cache", "x-accel-buffering": "no"}
CONTENT_TYPE = "text/event-stream; charset=utf-8"


class ChunkWriter:
    """Events to bytes. A choice's last chunk waits for the next event: the last of all also tells where it came from."""

    def __init__(self, chunks: ChatChunks | TextChunks, *, include_usage: bool) -> None:
        self._chunks = chunks
        self._include_usage = include_usage
        self._held = b""

    def opening(self, choices: int) -> bytes:
        """What comes first: in a chat, each choice's role."""
        chunks = self._chunks
        return b"".join(chunks.role(i) for i in range(choices)) if isinstance(chunks, ChatChunks) else b""

    def write(self, event: AnswerEvent) -> bytes:
        """The bytes of the event; b"" for those that nobody is told of in chunks."""
        match event:
            case ChoiceDelta():
                return self._release() + self._delta(event)
            case ChoiceEnded():
                return self._release(self._chunks.finish(event.choice, event.finish_reason))
            case Done():
                return self._done(event)
            case Moved():
                self._chunks.moved(event.choice, event.model, event.fingerprint)
                return self._release() + moved_comment(event)
            case Waiting() | Reading() | Accepted() | Thinking() | Asks():
                return b""

    def failure(self, error: Exception) -> bytes:
        """An error after the stream was opened."""
        return error_event(error)

    def _release(self, then: bytes = b"") -> bytes:
        held, self._held = self._held, then
        return held

    def _delta(self, event: ChoiceDelta) -> bytes:
        if isinstance(self._chunks, TextChunks):
            return self._chunks.content(event.choice, event.content, event.logprobs)
        if event.reasoning:
            return self._chunks.reasoning(event.choice, event.reasoning)
        if event.call is None:
            return self._chunks.content(event.choice, event.content, event.logprobs)
        before = self._chunks.content(event.choice, "", event.logprobs) if event.logprobs else b""
        return before + self._chunks.call(event.choice, event.call)

    def _done(self, event: Done) -> bytes:
        last = self._release()
        if self._include_usage:
            return last + self._chunks.usage(event.usage, event.origin) + DONE
        return self._chunks.with_origin(last, event.origin) + DONE


def degraded_comment(origin: Origin) -> bytes:
    """Tells people at once that a lower tier answers than was asked; b"" where none does."""
    chosen = origin.chosen
    if chosen is None or not chosen.degraded:
        return b""
    return comment(f"degraded model={origin.model} tier={chosen.tier} reason={chosen.reason}")


def moved_comment(event: Moved) -> bytes:
    """Tells people that another model answers, and why."""
    grade = "degraded" if event.chosen.degraded else "moved"
    return comment(f"{grade} model={event.model} tier={event.chosen.tier} reason={event.chosen.reason}")


def waiting_comment(event: Waiting | Reading | Thinking | None) -> bytes:
    """What a waiting client is told each second."""
    match event:
        case Waiting(position=position, estimate_s=None):
            return comment(f"queued position={position}")
        case Waiting(position=position, estimate_s=estimate_s):
            return comment(f"queued position={position} estimate_s={estimate_s:.1f}")
        case Reading(done_tokens=done, total_tokens=total):
            return comment(f"reading tokens={done} of={total}")
        case Thinking(model=model):
            return comment(f"think model={model}")
        case None:
            return comment("working")
