"""Which events of an answer are told block by block."""

from typing import Any

from iamine.ids import JobId, ModelId
from pool.api.blocks import BlockWriter
from pool.dispatch.events import Accepted, AnswerEvent, ChoiceDelta, ChoiceEnded, Done, Reading, Waiting
from pool.openai.types import Origin, ToolCall, Usage

USAGE = Usage(prompt_tokens=3, completion_tokens=1)
ORIGIN = Origin(job=JobId("job_1"), model=ModelId("m"), spans=())
CALL = ToolCall(index=0, id="call_1", name="f", arguments="{}")


class Spoken:
    """Blocks that say what was asked of them."""

    def opening(self, usage: Usage) -> bytes:
        return b"open %d" % usage.prompt_tokens

    def text(self, delta: str) -> bytes:
        return delta.encode()

    def call(self, call: ToolCall) -> bytes:
        return call.name.encode()

    def finish(self, reason: str, stop: str, usage: Usage, origin: Origin) -> bytes:
        return f"{reason} {stop} {usage.completion_tokens} {origin.job}".encode()

    def failure(self, error: Exception) -> bytes:
        return str(error).encode()


def test_texts_calls_and_the_end_are_told_and_nothing_else() -> None:
    writer = BlockWriter(Spoken(), lambda: USAGE)
    told: list[tuple[AnswerEvent, bytes]] = [
        (Waiting(position=1, estimate_s=None), b""),
        (Reading(done_tokens=1, total_tokens=2), b""),
        (Accepted(), b""),
        (ChoiceDelta(choice=0, content="Hi"), b"Hi"),
        (ChoiceDelta(choice=0), b""),
        (ChoiceDelta(choice=0, call=CALL), b"f"),
        (ChoiceEnded(choice=0, finish_reason="stop", stop="x"), b""),
        (Done(usage=USAGE, origin=ORIGIN), b"stop x 1 job_1"),
    ]
    assert writer.opening(1) == b"open 3"
    for event, data in told:
        assert writer.write(event) == data
    broken: Any = ValueError("broken")
    assert writer.failure(broken) == b"broken"
