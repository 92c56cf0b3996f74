"""Every message of wire version 1, as tagged frozen structs.

Reading is tolerant: an unknown field is ignored, an unknown tag is an error (ADR 0002). Token indices count the
tokens of the answer from 0, whatever the epoch; a frame counts for (job, epoch, first index) only.
"""

from typing import Literal

import msgspec

from iamine.ids import JobId, ModelId, SessionId, WorkerId

WIRE_VERSION = 1
MAX_FRAME_BYTES = 8 * 1024 * 1024  # a 256 k token context is about 1 MiB of text; JSON escapes at worst x 6
MAX_MODELS = 64
MAX_SLOTS = 1024
MAX_HELD = 4096
MAX_STEP_SEQUENCES = MAX_SLOTS
MAX_STEP_TOKENS = 4096  # tokens of one sequence in one frame (coalesced steps)
NONCE_BYTES = 32
KEY_BYTES = 32
SIGNATURE_BYTES = 64
MARK = "\ufdd0"  # a noncharacter (Unicode 23.7), put before a token of its own that stands for a mark: see Started.marks


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of a message."""


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t"):
    """A whole frame; its tag is the field `t`."""


# ---- values ---------------------------------------------------------------------------------------------------------


class Gpu(Value, frozen=True, kw_only=True, omit_defaults=True):
    """One graphics device as the agent sees it; memory in bytes."""

    name: str
    backend: str
    memory_bytes: int
    memory_free_bytes: int = 0


class Hardware(Value, frozen=True, kw_only=True, omit_defaults=True):
    """What the machine is; memory in bytes."""

    cpu: str
    cores_physical: int
    cores_usable: float
    memory_bytes: int
    memory_available_bytes: int
    gpus: tuple[Gpu, ...] = ()
    os: str = ""


class ModelOffer(Value, frozen=True, kw_only=True, omit_defaults=True):
    """A loaded model: identified by its file's SHA-256 (hex); speeds are measured on this machine, in tokens/s.

    `exact` promises serial = batched = continued for equal seeds (stream.md). `tool_format` and `reasoning_format` name
    how its text is to be read (iamine.manifest); who does not know a name takes it for "".
    """

    model: ModelId
    file_sha256: str
    template_sha256: str = ""
    kind: Literal["chat", "completion", "embedding"] = "chat"
    tool_format: str = ""
    reasoning_format: str = ""
    slots: int
    context_tokens: int
    vocabulary_tokens: int
    embedding_dimensions: int = 0
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

    id: int
    logprob: float
    bytes: tuple[int, ...]


class TokenLogprob(Value, frozen=True, kw_only=True, omit_defaults=True):
    """The drawn token's log probability and the best alternatives, best first."""

    id: int
    logprob: float
    bytes: tuple[int, ...]
    top: tuple[TopToken, ...] = ()


class SequenceStep(Value, frozen=True, kw_only=True, omit_defaults=True):
    """What one sequence gained: `ids[j]` is token `index + j` of the answer; `text` is what may be shown by now.

    `text` may lag behind the ids (a character cut in two, a possible stop string) and is never taken back.
    """

    job: JobId
    epoch: int
    index: int
    ids: tuple[int, ...]
    text: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()


class Held(Value, frozen=True, kw_only=True, omit_defaults=True):
    """A job that outlived its link, with frames kept to tell: tokens [`first`, `tokens`) of its answer."""

    job: JobId
    epoch: int
    file_sha256: str
    first: int
    tokens: int


# ---- hello: worker and pool prove their keys to each other ------------------------------------------------------------


class Knock(Message, frozen=True, kw_only=True, omit_defaults=True, tag="knock"):
    """Worker -> pool, first: a fresh nonce and the wire versions it speaks."""

    versions: tuple[int, ...]
    nonce: bytes
    agent: str = ""


class Challenge(Message, frozen=True, kw_only=True, omit_defaults=True, tag="challenge"):
    """Pool -> worker: its key, a nonce, its clock (seconds since 1970) and its signature over both nonces."""

    version: int
    pool_key: bytes
    nonce: bytes
    now: float
    signature: bytes
    name: str = ""


class Hello(Message, frozen=True, kw_only=True, omit_defaults=True, tag="hello"):
    """Worker -> pool: its key, its signature over both nonces and the pool's key, and what it offers.

    `holding`: jobs of an earlier link that it has not given up; a Resume or a Cancel follows for each, sooner or later.
    `manifest` is the serial of the manifest that it goes by; 0: it does not take another.
    """

    worker_key: bytes
    signature: bytes
    hardware: Hardware
    models: tuple[ModelOffer, ...]
    name: str = ""
    holding: tuple[Held, ...] = ()
    manifest: int = 0


class Welcome(Message, frozen=True, kw_only=True, omit_defaults=True, tag="welcome"):
    """Pool -> worker: accepted; the session's id and the heartbeats it wants, in seconds."""

    worker: WorkerId
    session: SessionId
    heartbeat_busy_s: float = 1.0
    heartbeat_idle_s: float = 15.0


class ManifestUpdate(Message, frozen=True, kw_only=True, omit_defaults=True, tag="manifest"):
    """Pool -> worker, to one whose manifest is older: a manifest (TOML) and its signature lines (iamine/release.py)."""

    text: str
    signature: str


class Goodbye(Message, frozen=True, kw_only=True, omit_defaults=True, tag="goodbye"):
    """Either way, last: why the link ends, for a person to read. `retry_after_s` < 0: do not come back like this."""

    code: str
    reason: str
    retry_after_s: float = 0.0


# ---- work -----------------------------------------------------------------------------------------------------------


class Job(Message, frozen=True, kw_only=True, omit_defaults=True, tag="job"):
    """Pool -> worker: do this. With `prefix` (ids of the tokens already answered) the job goes on at index len(prefix).

    `now` is what the template may print as the date (seconds since 1970); `template_sha256` and `prompt_sha256`, when
    not empty, must agree with the engine's own or the job fails with `prompt_mismatch`. `hold_s`: so long the worker goes
    on without a link, keeping its frames for the next hello; 0 is not at all.
    """

    job: JobId
    epoch: int
    file_sha256: str
    work: Work
    sampling: Sampling
    now: float
    prefix: tuple[int, ...] = ()
    template_sha256: str = ""
    prompt_sha256: str = ""
    hold_s: float = 0.0


class Cancel(Message, frozen=True, kw_only=True, omit_defaults=True, tag="cancel"):
    """Pool -> worker: stop this epoch of this job; nothing more is expected from it."""

    job: JobId
    epoch: int


class Resume(Message, frozen=True, kw_only=True, omit_defaults=True, tag="resume"):
    """Pool -> worker: tell the frames of this held job again, Started first and then from token `index` on."""

    job: JobId
    epoch: int
    index: int


class Standing(Message, frozen=True, kw_only=True, omit_defaults=True, tag="standing"):
    """Pool -> worker, when it changes: why it has no job for a model, and what it is owed, in seconds of its own capacity.

    `reason` is a code (`idle`, `turn`, `slow`, `not_ready`, `draining`; there may be more), `text` is for a person.
    """

    model: ModelId
    deficit_s: float
    reason: str
    text: str = ""


class Drain(Message, frozen=True, kw_only=True, omit_defaults=True, tag="drain"):
    """Either way: no new jobs on this link; those running end or are moved."""

    reason: str = ""


class Started(Message, frozen=True, kw_only=True, omit_defaults=True, tag="started"):
    """Worker -> pool: the prompt is tokenised; `prompt_sha256` is over its ids as little-endian int32.

    `reasoning`: the template opened the model's reasoning at the prompt's end, so the answer's text begins inside it.
    `marks`: texts of single tokens that the template uses as marks; in the text of this job's answer each such token has
    MARK before it, and the same characters without it are nobody's mark. Empty: nothing is marked.
    """

    job: JobId
    epoch: int
    prompt_tokens: int
    cached_tokens: int = 0
    prompt_sha256: str = ""
    reasoning: bool = False
    marks: tuple[str, ...] = ()


class Progress(Message, frozen=True, kw_only=True, omit_defaults=True, tag="progress"):
    """Worker -> pool, each second of prefill: how many prompt tokens are done."""

    job: JobId
    epoch: int
    done_tokens: int
    total_tokens: int


class Step(Message, frozen=True, kw_only=True, omit_defaults=True, tag="step"):
    """Worker -> pool: one decode step (or a few, coalesced), every sequence of it."""

    sequences: tuple[SequenceStep, ...]


class Finished(Message, frozen=True, kw_only=True, omit_defaults=True, tag="finished"):
    """Worker -> pool: the job ended by itself after `tokens` tokens of the answer; `text` is the held-back rest.

    `stop` is the matched stop string, or "" for the model's own end.
    """

    job: JobId
    epoch: int
    tokens: int
    reason: Literal["stop", "length"]
    text: str = ""
    stop: str = ""


class Embedded(Message, frozen=True, kw_only=True, omit_defaults=True, tag="embedded"):
    """Worker -> pool: the vectors, in the order of the inputs, each of unit length."""

    job: JobId
    epoch: int
    vectors: tuple[tuple[float, ...], ...]
    prompt_tokens: int


class Failed(Message, frozen=True, kw_only=True, omit_defaults=True, tag="failed"):
    """Worker -> pool: this epoch is over. `retryable`: another worker may succeed; else the request itself is bad."""

    job: JobId
    epoch: int
    code: Literal[
        "context_overflow",
        "bad_request",
        "bad_grammar",
        "bad_template",
        "prompt_mismatch",
        "model_missing",
        "no_slot",
        "engine_lost",
        "draining",
    ]
    message: str
    retryable: bool


class Heartbeat(Message, frozen=True, kw_only=True, omit_defaults=True, tag="heartbeat"):
    """Worker -> pool: alive. `running` jobs now, and whether the engine can take work.

    `resting`: the machine's owner keeps it for himself (a pause, or its hours); the worker stays linked to come back at once.
    """

    running: int
    ready: bool = True
    load: float = 0.0
    resting: bool = False


class Models(Message, frozen=True, kw_only=True, omit_defaults=True, tag="models"):
    """Worker -> pool: what it offers has changed (a load, an engine lost, measured speeds)."""

    models: tuple[ModelOffer, ...]


FromWorker = Knock | Hello | Started | Progress | Step | Finished | Embedded | Failed | Heartbeat | Models | Drain | Goodbye
FromPool = Challenge | Welcome | Job | Cancel | Resume | Drain | Standing | ManifestUpdate | Goodbye
EngineIn = Job | Cancel
EngineOut = Started | Progress | Step | Finished | Embedded | Failed
