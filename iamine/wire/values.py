"""The values of wire version 1: the parts that its messages are made of, as frozen structs (messages.py)."""

from typing import Annotated, Any, Literal, TypeVar

import msgspec

from iamine.ids import JobId, ModelId
from iamine.wire.limits import (
    MAX_DIMENSIONS,
    MAX_TOP_LOGPROBS,
    Bytes,
    Epoch,
    Hash,
    ModelName,
    Name,
    Number,
    TokenId,
    Tokens,
    Whole,
)

V = TypeVar("V", bound="Value")


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of a message, or any frozen value that is made often: made in a quarter of a frozen dataclass's time."""

    def but(self: V, **changes: Any) -> V:
        """The same with these fields changed."""
        return msgspec.structs.replace(self, **changes)


class Gpu(Value, frozen=True, kw_only=True, omit_defaults=True):
    """One graphics device as the agent sees it; memory in bytes."""

    name: Name
    backend: Name
    memory_bytes: Whole
    memory_free_bytes: Whole = 0


class Hardware(Value, frozen=True, kw_only=True, omit_defaults=True):
    """What the machine is; memory in bytes."""

    cpu: Name
    cores_physical: Whole
    cores_usable: Number
    memory_bytes: Whole
    memory_available_bytes: Whole
    gpus: Annotated[tuple[Gpu, ...], msgspec.Meta(max_length=64)] = ()
    os: Name = ""


class ModelOffer(Value, frozen=True, kw_only=True, omit_defaults=True):
    """A loaded model: identified by its file's SHA-256 (hex); speeds are measured on this machine, in tokens/s.

    `exact` promises serial = batched = continued for equal seeds (stream.md). `tool_format` and `reasoning_format` name
    how its text is to be read (iamine.manifest); who does not know a name takes it for "".
    """

    model: ModelName
    file_sha256: Hash
    template_sha256: Hash = ""
    kind: Literal["chat", "completion", "embedding"] = "chat"
    tool_format: Name = ""
    reasoning_format: Name = ""
    slots: int
    context_tokens: Tokens
    vocabulary_tokens: TokenId
    embedding_dimensions: Annotated[int, msgspec.Meta(ge=0, le=MAX_DIMENSIONS)] = 0
    prefill_tps: float = 0.0
    decode_tps: float = 0.0
    exact: bool = False


class Grammar(Value, frozen=True, kw_only=True, omit_defaults=True):
    """A constraint on the answer: a JSON schema (as JSON text), any JSON object, or GBNF text."""

    kind: Literal["json_schema", "json_object", "gbnf"]
    text: str = ""


class Sampling(Value, frozen=True, kw_only=True, omit_defaults=True):
    """How tokens are drawn. Token i is drawn with a generator seeded by (seed, i), so a job can go on elsewhere.

    `temperature` 0 is greedy. `top_k` 0, `top_p` 1, `min_p` 0 and penalties 0 (`repeat_penalty` 1) are off.
    `logprobs` None is off, else the number of alternatives to report (0-20).
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repeat_penalty: float = 1.0
    seed: int = 0
    logit_bias: dict[int, float] = {}
    max_tokens: int
    ignore_eos: bool = False
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    grammar: Grammar | None = None


class ChatWork(Value, frozen=True, kw_only=True, omit_defaults=True, tag_field="k", tag="chat"):
    """Messages and tools as OpenAI JSON (already validated by the pool); the engine renders the model's template.

    `opening`: what another model said of this answer before it was lost; this one goes on behind it and does not repeat it.
    `effort`: how much to reason, none to xhigh, "" for as the template has it by itself.
    """

    messages: msgspec.Raw
    tools: msgspec.Raw = msgspec.Raw(b"[]")
    opening: str = ""
    effort: str = ""


class CompletionWork(Value, frozen=True, kw_only=True, omit_defaults=True, tag_field="k", tag="completion"):
    """A raw prompt: text, or token ids."""

    prompt: str | tuple[int, ...]


class EmbeddingWork(Value, frozen=True, kw_only=True, omit_defaults=True, tag_field="k", tag="embedding"):
    """Texts (or token ids) to embed, one vector each."""

    inputs: tuple[str | tuple[int, ...], ...]


Work = ChatWork | CompletionWork | EmbeddingWork


class TopToken(Value, frozen=True, kw_only=True, omit_defaults=True):
    """One alternative for a token: natural logarithm of its probability before temperature, and its bytes."""

    id: TokenId
    logprob: Number
    bytes: Bytes


class TokenLogprob(Value, frozen=True, kw_only=True, omit_defaults=True):
    """The drawn token's log probability and the best alternatives, best first."""

    id: TokenId
    logprob: Number
    bytes: Bytes
    top: Annotated[tuple[TopToken, ...], msgspec.Meta(max_length=MAX_TOP_LOGPROBS)] = ()


class SequenceStep(Value, frozen=True, kw_only=True, omit_defaults=True):
    """What one sequence gained: `ids[j]` is token `index + j` of the answer; `text` is what may be shown by now.

    `text` may lag behind the ids (a character cut in two, a possible stop string) and is never taken back.
    """

    job: JobId
    epoch: Epoch
    index: Whole
    ids: tuple[TokenId, ...]
    text: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()


class ModelDemand(Value, frozen=True, kw_only=True, omit_defaults=True):
    """What is wanted of one model. Work is in virtual tokens a second (iamine.work), of late.

    `wanted_tps`: asked for; `offered_tps`: what its workers can give, those on their way to it included; `lack_tps`: what has
    been missing for a while. `worth` is what a virtual token of it counts beside others'. `waiting` requests wait for a slot.
    `come`: the part (0 to 1) of those who could come that is asked to; `go`: the part of its workers that may leave.
    """

    model: ModelId
    tier: str = ""
    wanted_tps: float = 0.0
    offered_tps: float = 0.0
    lack_tps: float = 0.0
    worth: float = 1.0
    waiting: int = 0
    workers: int = 0
    come: float = 0.0
    go: float = 0.0


class TierDemand(Value, frozen=True, kw_only=True, omit_defaults=True):
    """What was asked of a tier and answered below it, or not at all, and that no model of it has room for now."""

    tier: str
    lack_tps: float = 0.0
    worth: float = 1.0
    come: float = 0.0


class Held(Value, frozen=True, kw_only=True, omit_defaults=True):
    """A job that outlived its link, with frames kept to tell: tokens [`first`, `tokens`) of its answer."""

    job: JobId
    epoch: Epoch
    file_sha256: Hash
    first: Whole
    tokens: Whole
