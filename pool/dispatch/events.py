"""What a client is told while its answer is made."""

from typing import Literal

from iamine.ids import ModelId
from iamine.wire.messages import TokenLogprob, Value
from pool.openai.types import Chosen, Origin, ToolCall, Usage
from pool.routing.types import JobEvent

FinishReason = Literal["stop", "length", "tool_calls"]


class Waiting(Value, frozen=True, kw_only=True):
    """The request waits for a worker: its place (1 = next) and the expected wait, None while nobody knows."""

    position: int
    estimate_s: float | None


class Reading(Value, frozen=True, kw_only=True):
    """The prompt is being read: tokens done of all."""

    done_tokens: int
    total_tokens: int


class Accepted(Value, frozen=True, kw_only=True):
    """Workers took the whole request: from here on it is no longer the client's fault when it fails."""


class ChoiceDelta(Value, frozen=True, kw_only=True):
    """More of a choice: text, reasoning or a whole tool call, and the log probabilities of the content's tokens so far."""

    choice: int
    content: str = ""
    reasoning: str = ""
    call: ToolCall | None = None
    logprobs: tuple[TokenLogprob, ...] = ()


class ChoiceEnded(Value, frozen=True, kw_only=True):
    """A choice is whole; `stop` is the stop string that ended it, if one did."""

    choice: int
    finish_reason: FinishReason
    stop: str = ""


class Done(Value, frozen=True, kw_only=True):
    """The answer is whole and recorded."""

    usage: Usage
    origin: Origin


class Moved(Value, frozen=True, kw_only=True):
    """From here on another model answers this choice; `fingerprint` names its file."""

    choice: int
    model: ModelId
    fingerprint: str
    chosen: Chosen


class Thinking(Value, frozen=True, kw_only=True):
    """A larger model is being asked; this goes on the client's connection as a comment only."""

    model: ModelId


class Asks(Value, frozen=True, kw_only=True):
    """The model called the hidden think tool. Never told to a client: whoever runs the choice sees to it."""

    question: str
    arguments: str


class Spoken(Value, frozen=True, kw_only=True):
    """What came from elsewhere, already told apart: `tokens` by now, and calls as (name, arguments)."""

    tokens: int
    content: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, str], ...] = ()


StreamEvent = JobEvent | Spoken
AnswerEvent = Waiting | Reading | Accepted | ChoiceDelta | ChoiceEnded | Moved | Thinking | Asks | Done
