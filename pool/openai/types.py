"""What clients ask for and what they are told, as frozen values."""

from dataclasses import dataclass, field

from iamine.ids import JobId, ModelId, WorkerId
from iamine.manifest import Tier
from iamine.wire.messages import Sampling, TokenLogprob, Value

Prompt = str | tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that the model may call; `schema` is its parameters as JSON text, to be held to when `strict`.

    `param` is where the client wrote the schema, to be named when it is none.
    """

    name: str
    schema: bytes
    strict: bool
    param: str = "tools"


class ChatRequest(Value, frozen=True, kw_only=True):
    """A chat completion to produce.

    `messages` and `tools_json` are canonical OpenAI JSON for the model's template; `tools` are those the model may
    call (none with tool_choice "none"); with `must_call` a grammar makes the whole answer one call. `max_tokens` None:
    as many as fit. `sampling.max_tokens` is filled in later. `think`: the pool's own think tool may be offered.
    `effort`: how much the model should reason, "" for as much as it does by itself.
    """

    model: ModelId
    messages: bytes
    tools_json: bytes
    tools: tuple[Tool, ...]
    must_call: bool
    parallel_tool_calls: bool
    sampling: Sampling
    max_tokens: int | None
    n: int
    stream: bool
    include_usage: bool
    think: bool = True
    effort: str = ""


class CompletionRequest(Value, frozen=True, kw_only=True):
    """A raw completion of each prompt, `n` times; choice `p * n + i` is sample i of prompt p."""

    model: ModelId
    prompts: tuple[Prompt, ...]
    sampling: Sampling
    max_tokens: int | None
    n: int
    echo: bool
    stream: bool
    include_usage: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingsRequest:
    """Texts or token ids to embed; `base64` sends each vector as little-endian float32."""

    model: ModelId
    inputs: tuple[Prompt, ...]
    base64: bool
    dimensions: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One finished call: its place in the answer, its id, and its arguments as JSON text."""

    index: int
    id: str
    name: str
    arguments: str


class Usage(Value, frozen=True, kw_only=True):
    """Tokens read (of them from a cache) and written (of them as reasoning)."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class Span(Value, frozen=True, kw_only=True):
    """Tokens [start, stop) of a choice came from this worker; `model` where it is not the answer's own."""

    worker: WorkerId
    start: int
    stop: int
    choice: int = 0
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """A question that a larger model was asked meanwhile; `tokens` it wrote, `answered` if something came of it."""

    model: ModelId
    worker: WorkerId | None
    tokens: int
    answered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which tier answers, whether it is below the `asked` one, and why this one, in a few words.

    `named`: a model was asked for by its own name; `missed`: and it is this one, which does not answer.
    """

    tier: str
    degraded: bool
    reason: str
    asked: Tier = field(default="micro", compare=False)
    named: bool = field(default=False, compare=False)
    missed: str = field(default="", compare=False)

    @property
    def wish(self) -> str:
        """The model or the tier that was asked for and does not answer, "" when it does."""
        return self.missed or (self.asked if self.degraded else "")


class Origin(Value, frozen=True, kw_only=True):
    """Where an answer came from: told as `x_iamine` in the last chunk and in a plain answer."""

    job: JobId
    model: ModelId
    spans: tuple[Span, ...]
    chosen: Chosen | None = None
    thoughts: tuple[Thought, ...] = ()


class Head(Value, frozen=True, kw_only=True):
    """What every chunk of one answer repeats."""

    id: str
    model: ModelId
    created: int
    fingerprint: str


class Choice(Value, frozen=True, kw_only=True):
    """One whole answer; `parts` are its texts and calls in the order they came, `stop` the stop string that ended it."""

    index: int
    content: str
    calls: tuple[ToolCall, ...]
    logprobs: tuple[TokenLogprob, ...] | None
    finish_reason: str
    parts: tuple[str | ToolCall, ...] = ()
    stop: str = ""
    reasoning: str = ""
