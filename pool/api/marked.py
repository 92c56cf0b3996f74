"""A stream whose events bear ids, and which may begin where a client's last one broke off."""

from pool.api.stream import Writer
from pool.dispatch.answer import Answer
from pool.dispatch.events import AnswerEvent, ChoiceDelta, ChoiceEnded, Done
from pool.dispatch.position import Place, Position, Seek
from pool.errors import ResumeMismatch
from pool.openai.chunks import comment

END = b"\n\n"


class Marked:
    """A writer around another one: what the client has is left out, and the last event of each write tells its position.

    An event without an id belongs to the next that has one: a client that resumes drops what came after its last id.
    """

    def __init__(self, writer: Writer, answer: Answer, position: Position | None) -> None:
        self._writer = writer
        self._answer = answer
        self._resumes = position is not None
        places: list[Place | None] = [None] * answer.choices
        if position is not None:
            if len(position.places) != answer.choices or not any(place.crc for place in position.places):
                raise ResumeMismatch(
                    "No event of this answer had that Last-Event-ID.", hint="Send the request again without Last-Event-ID."
                )
            places = list(position.places)
        self._seeks = [Seek(place) for place in places]
        self._late: list[ChoiceEnded] = []

    def opening(self, choices: int) -> bytes:
        """What comes first; a client that resumes has it."""
        opening = self._writer.opening(choices)
        return comment("resumed") if self._resumes else opening

    def write(self, event: AnswerEvent) -> bytes:
        """The bytes of what is new in the event. Raises ResumeMismatch when what the client has is not how it goes on."""
        match event:
            case ChoiceDelta():
                return self._delta(event)
            case ChoiceEnded():
                self._seeks[event.choice].ended()
                self._late.append(event)
                return self._ends()
            case Done():
                return self._ends() + self._writer.write(event)
            case _:
                return self._writer.write(event)

    def failure(self, error: Exception) -> bytes:
        """An error after the stream was opened."""
        return self._writer.failure(error)

    def _delta(self, delta: ChoiceDelta) -> bytes:
        seen, new = self._seeks[delta.choice].split(delta, self._answer.tokens(delta.choice))
        if seen is not None:
            self._writer.write(seen)  # so that it knows where it stands
        told = b"" if new is None else self._ends() + self._writer.write(new)
        return self._marked(told) if told else b""

    def _ends(self) -> bytes:
        """Ends of choices wait until every choice is where the client is: what the writer holds back must not be lost."""
        if not all(seek.found for seek in self._seeks):
            return b""
        late, self._late = self._late, []
        return b"".join(self._writer.write(event) for event in late)

    def _marked(self, events: bytes) -> bytes:
        last = events.rfind(END, 0, -len(END)) + len(END) if END in events[: -len(END)] else 0
        places = tuple(Place(tokens=self._answer.tokens(number), crc=seek.trace.crc) for number, seek in enumerate(self._seeks))
        position = Position(job=self._answer.job, places=places)
        return b"%sid: %s\n%s" % (events[:last], position.text().encode(), events[last:])
