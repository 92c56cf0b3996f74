"""What a choice's tokens come to: how many, read and written, by which workers, and of which models."""

from dataclasses import dataclass, field

from iamine.ids import ModelId, WorkerId
from pool.routing.types import Segment


@dataclass(slots=True)
class Tally:
    """What is known of a choice's tokens, whether or not it comes to an end.

    A choice may be made by several jobs, one after the other: its parts. The workers' counts begin at 0 in every part, the
    tally's at `base`. The prompt counts once, as it was first read.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    tokens: int = 0
    reasoning_tokens: int = 0
    segments: list[Segment] = field(default_factory=list)
    base: int = 0
    models: list[tuple[int, ModelId]] = field(default_factory=list)
    _before: int = 0

    def next_part(self) -> None:
        """Another job goes on from here."""
        self.segments = list(self.told())
        self.base, self._before = self.tokens, len(self.segments)

    def on_model(self, model: ModelId) -> None:
        """Tokens from here on are this model's."""
        self.models.append((self.tokens, model))

    def on_prompt(self, prompt_tokens: int, cached_tokens: int) -> None:
        """The prompt of the part."""
        if not self.base:
            self.prompt_tokens, self.cached_tokens = prompt_tokens, cached_tokens

    def on_worker(self, worker: WorkerId) -> None:
        """Tokens from here on are this worker's."""
        self.segments.append(Segment(worker=worker, start=self.tokens, stop=self.tokens))

    def on_tokens(self, count: int) -> None:
        """The part has `count` tokens."""
        self.tokens = self.base + count
        if self.segments:
            last = self.segments[-1]
            self.segments[-1] = Segment(worker=last.worker, start=last.start, stop=self.tokens)

    def on_segments(self, segments: tuple[Segment, ...]) -> None:
        """The part is over, and these gave its tokens."""
        base = self.base
        moved = [Segment(worker=s.worker, start=base + s.start, stop=base + s.stop) for s in segments]
        self.segments = self.segments[: self._before] + moved

    def told(self) -> tuple[Segment, ...]:
        """The segments that have tokens; where a worker went on after itself with the same model, they are one."""
        joined: list[Segment] = []
        for one in self.segments:
            last = joined[-1] if joined else None
            if last and last.worker == one.worker and self.model_at(last.start) == self.model_at(one.start):
                joined[-1] = Segment(worker=one.worker, start=last.start, stop=one.stop)
            elif one.stop > one.start:
                joined.append(one)
        return tuple(joined)

    def model_at(self, token: int) -> ModelId:
        """Whose this token is; "" for that of the model which began."""
        for start, model in reversed(self.models):
            if start <= token:
                return model
        return ModelId("")
