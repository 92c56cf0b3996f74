"""The agent's nouns: what is to be loaded and how."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from iamine.ids import ModelId, SessionId, WorkerId
from iamine.manifest import Model, ReasoningFormat, ToolFormat
from iamine.wire.messages import Hardware, Held, ModelOffer


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model file to load and the limits to load it with.

    `threads` and `slots` 0 mean: the engine chooses. `context_tokens` is per slot; 0 means the model's own.
    `max_tps` caps every sequence's decode rate in tokens/s; None is no cap. `exact` promises serial = batched = continued.
    `devices` are the graphics devices for `gpu_layers`, by llama.cpp's names; none: all that it finds.
    `expected_tps` is what one sequence should decode. `measure_s` asks for the whole measure in about so many seconds;
    `prefill_tps` > 0 and `decode_tps` are known from an earlier one, then nothing is measured.
    """

    model: ModelId
    path: Path
    file_sha256: str
    kind: Literal["chat", "completion", "embedding"] = "chat"
    tool_format: ToolFormat = ""
    reasoning_format: ReasoningFormat = ""
    exact: bool = False
    slots: int = 0
    context_tokens: int = 0
    threads: int = 0
    gpu_layers: int = 0
    devices: tuple[str, ...] = ()
    max_tps: float | None = None
    expected_tps: float = 0.0
    measure_s: float = 0.0
    prefill_tps: float = 0.0
    decode_tps: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A model that is at hand: its entry, the file to open, and whether the manifest knows it by hash."""

    model: Model
    path: Path
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the worker is right now, as the link tells it to the pool; `load` is running jobs per slot.

    `resting`: its owner keeps the machine for himself. `moving_to`: the model that it will serve soon, with so much work in
    virtual tokens a second.
    """

    hardware: Hardware
    offers: tuple[ModelOffer, ...]
    running: int
    ready: bool
    load: float
    holding: tuple[Held, ...] = ()
    resting: bool = False
    moving_to: ModelId | None = None
    moving_tps: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting:
    """The link is being made."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """The pool accepted this worker."""

    pool: str
    fingerprint: str
    worker: WorkerId
    session: SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlinked:
    """There is no link, for this reason; the next attempt comes in `retry_in_s`."""

    reason: str
    retry_in_s: float


LinkState = Connecting | Linked | Unlinked


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A running answer: its tokens so far, and how fast they come; 0.0 while the prompt is being read."""

    model: str
    tokens: int
    rate_tps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The machine at work, for the screen: counts since the start, `rate_tps` over the last busy half minute.

    `resting` says in words why it does not work now, "" when it does. `last_failure` is the code of the last failed job.
    """

    models: tuple[ModelOffer, ...]
    link: LinkState | None
    running: int
    jobs_done: int
    jobs_failed: int
    tokens: int
    rate_tps: float
    draining: bool
    standing: str = ""  # why the pool gives no job, in its own words
    resting: str = ""
    slots: tuple[Slot, ...] = ()
    last_failure: str = ""
    claim_code: str = ""  # by which an account takes this worker as its own; "" while the pool gives none
    owner: str = ""  # the account that has taken it
    course: str = ""  # what it made of what the pool lacks
