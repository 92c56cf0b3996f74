"""Every message of wire version 1, as tagged frozen structs; the values in them are in values.py, and may be had from here.

Reading is tolerant: an unknown field is ignored, an unknown tag is an error (ADR 0002). Token indices count the
tokens of the answer from 0, whatever the epoch; a frame counts for (job, epoch, first index) only.
"""

from typing import Annotated, Literal

import msgspec

from iamine.ids import JobId, ModelId, SessionId, WorkerId
from iamine.wire.limits import (
    MAX_MARKS,
    Epoch,
    Hash,
    HoldSeconds,
    LiveEpoch,
    Mark,
    Name,
    Number,
    Rest,
    Said,
    Tokens,
    Vector,
    Whole,
)
from iamine.wire.values import ChatWork as ChatWork
from iamine.wire.values import CompletionWork as CompletionWork
from iamine.wire.values import EmbeddingWork as EmbeddingWork
from iamine.wire.values import Gpu as Gpu
from iamine.wire.values import Grammar as Grammar
from iamine.wire.values import Hardware as Hardware
from iamine.wire.values import Held as Held
from iamine.wire.values import ModelDemand as ModelDemand
from iamine.wire.values import ModelOffer as ModelOffer
from iamine.wire.values import Sampling as Sampling
from iamine.wire.values import SequenceStep as SequenceStep
from iamine.wire.values import TierDemand as TierDemand
from iamine.wire.values import TokenLogprob as TokenLogprob
from iamine.wire.values import TopToken as TopToken
from iamine.wire.values import Value as Value
from iamine.wire.values import Work as Work

WIRE_VERSION = 1
MAX_FRAME_BYTES = 8 * 1024 * 1024  # a 256 k token context is about 1 MiB of text; JSON escapes at worst x 6
MAX_MODELS = 64
MAX_SLOTS = 1024
MAX_HELD = 4096
MAX_STEP_SEQUENCES = MAX_SLOTS
MAX_STEP_TOKENS = 4096  # tokens of one sequence in one frame (coalesced steps)
DEMAND_VERSION = 1
NONCE_BYTES = 32
KEY_BYTES = 32
SIGNATURE_BYTES = 64
MARK = "\ufdd0"  # a noncharacter (Unicode 23.7), put before a token of its own that stands for a mark: see Started.marks


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t"):
    """A whole frame; its tag is the field `t`."""


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
    `manifest` is the serial of the manifest that it goes by; 0: it does not take another. `speaks`: tags of messages that
    came later than version 1 and that it understands (LATER); others would end its link.
    """

    worker_key: bytes
    signature: bytes
    hardware: Hardware
    models: tuple[ModelOffer, ...]
    name: Name = ""
    holding: tuple[Held, ...] = ()
    manifest: int = 0
    speaks: tuple[str, ...] = ()


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


class Claim(Message, frozen=True, kw_only=True, omit_defaults=True, tag="claim"):
    """Pool -> worker, to one that speaks it: whose it is (`owner`, an account's name), or the code to take it by.

    The code is for a person to type or scan at the pool; it counts for `valid_s` seconds, and a new one comes before that.
    """

    code: str = ""
    valid_s: float = 0.0
    owner: str = ""


class Demand(Message, frozen=True, kw_only=True, omit_defaults=True, tag="demand"):
    """Pool -> worker, to one that speaks it, when it changes: what the pool lacks. What to do about it the worker decides.

    `version` is that of the figures' meaning: who does not know it passes the message over. `stay`: this worker is not to leave
    what it serves, for somebody waits for it and nobody else is there. `turn` spreads the workers evenly over [0, 1), another
    way each time: whoever's is below a model's `come` is asked now. None: draw lots.
    """

    serial: int
    version: int = DEMAND_VERSION
    models: tuple[ModelDemand, ...] = ()
    tiers: tuple[TierDemand, ...] = ()
    stay: bool = False
    turn: float | None = None


class Goodbye(Message, frozen=True, kw_only=True, omit_defaults=True, tag="goodbye"):
    """Either way, last: why the link ends, for a person to read. `retry_after_s` < 0: do not come back like this."""

    code: Name
    reason: Said
    retry_after_s: float = 0.0


# ---- work -----------------------------------------------------------------------------------------------------------


class Job(Message, frozen=True, kw_only=True, omit_defaults=True, tag="job"):
    """Pool -> worker: do this. With `prefix` (ids of the tokens already answered) the job goes on at index len(prefix).

    `now` is what the template may print as the date (seconds since 1970); `template_sha256` and `prompt_sha256`, when
    not empty, must agree with the engine's own or the job fails with `prompt_mismatch`. `hold_s`: so long the worker goes
    on without a link, keeping its frames for the next hello; 0 is not at all.
    """

    job: JobId
    epoch: LiveEpoch
    file_sha256: str
    work: Work
    sampling: Sampling
    now: float
    prefix: tuple[int, ...] = ()
    template_sha256: str = ""
    prompt_sha256: str = ""
    hold_s: HoldSeconds = 0.0


class Cancel(Message, frozen=True, kw_only=True, omit_defaults=True, tag="cancel"):
    """Pool -> worker: stop this epoch of this job; nothing more is expected from it."""

    job: JobId
    epoch: int


class Resume(Message, frozen=True, kw_only=True, omit_defaults=True, tag="resume"):
    """Pool -> worker: tell the frames of this held job again, Started first and then from token `index` on."""

    job: JobId
    epoch: int
    index: Whole


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

    reason: Said = ""


class Started(Message, frozen=True, kw_only=True, omit_defaults=True, tag="started"):
    """Worker -> pool: the prompt is tokenised; `prompt_sha256` is over its ids as little-endian int32.

    `reasoning`: the template opened the model's reasoning at the prompt's end, so the answer's text begins inside it.
    `marks`: texts of single tokens that the template uses as marks; in the text of this job's answer each such token has
    MARK before it, and the same characters without it are nobody's mark. Empty: nothing is marked.
    """

    job: JobId
    epoch: Epoch
    prompt_tokens: Tokens
    cached_tokens: Tokens = 0
    prompt_sha256: Hash = ""
    reasoning: bool = False
    marks: Annotated[tuple[Mark, ...], msgspec.Meta(max_length=MAX_MARKS)] = ()


class Progress(Message, frozen=True, kw_only=True, omit_defaults=True, tag="progress"):
    """Worker -> pool, each second of prefill: how many prompt tokens are done."""

    job: JobId
    epoch: Epoch
    done_tokens: Tokens
    total_tokens: Tokens


class Step(Message, frozen=True, kw_only=True, omit_defaults=True, tag="step"):
    """Worker -> pool: one decode step (or a few, coalesced), every sequence of it."""

    sequences: tuple[SequenceStep, ...]


class Finished(Message, frozen=True, kw_only=True, omit_defaults=True, tag="finished"):
    """Worker -> pool: the job ended by itself after `tokens` tokens of the answer; `text` is the held-back rest.

    `stop` is the matched stop string, or "" for the model's own end.
    """

    job: JobId
    epoch: Epoch
    tokens: Whole
    reason: Literal["stop", "length"]
    text: Rest = ""
    stop: Said = ""


class Embedded(Message, frozen=True, kw_only=True, omit_defaults=True, tag="embedded"):
    """Worker -> pool: the vectors, in the order of the inputs, each of unit length."""

    job: JobId
    epoch: Epoch
    vectors: tuple[Vector, ...]
    prompt_tokens: Tokens


class Failed(Message, frozen=True, kw_only=True, omit_defaults=True, tag="failed"):
    """Worker -> pool: this epoch is over. `retryable`: another worker may succeed; else the request itself is bad."""

    job: JobId
    epoch: Epoch
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
    message: Said
    retryable: bool


class Heartbeat(Message, frozen=True, kw_only=True, omit_defaults=True, tag="heartbeat"):
    """Worker -> pool: alive. `running` jobs now, and whether the engine can take work.

    `resting`: the machine's owner keeps it for himself (a pause, or its hours); the worker stays linked to come back at once.
    `moving_to`: the model that it will serve soon instead of what it serves, with so much work (virtual tokens a second).
    """

    running: Whole
    ready: bool = True
    load: Number = 0.0
    resting: bool = False
    moving_to: ModelId = ModelId("")
    moving_tps: float = 0.0


class Models(Message, frozen=True, kw_only=True, omit_defaults=True, tag="models"):
    """Worker -> pool: what it offers has changed (a load, an engine lost, measured speeds)."""

    models: tuple[ModelOffer, ...]


FromWorker = Knock | Hello | Started | Progress | Step | Finished | Embedded | Failed | Heartbeat | Models | Drain | Goodbye
ToWorker = Job | Cancel | Resume | Drain | Standing | ManifestUpdate | Claim | Demand  # on an open link
FromPool = Challenge | Welcome | ToWorker | Goodbye
LATER = ("claim", "demand")  # what this side understands beyond what every version 1 does
EngineIn = Job | Cancel
EngineOut = Started | Progress | Step | Finished | Embedded | Failed
