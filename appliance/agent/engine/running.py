"""The decode loop's nouns: its limits, a slot, and a sequence that runs in one."""

from dataclasses import dataclass, field

from appliance.agent.engine.draw import Logits
from appliance.agent.engine.guessing import Lookup, Trust
from appliance.agent.engine.inbox import Key
from appliance.agent.engine.oracle import Oracle
from appliance.agent.engine.sequence import Sequence
from iamine.wire.messages import Cancel, Failed, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`max_tps` in tokens/s per sequence (None: no cap); times in seconds; `waiting` jobs may wait for a slot.

    `first_chunk_tokens` of a prompt go into the first step. `guess`: guesses from the text are tried.
    """

    max_tps: float | None
    max_step_s: float
    progress_s: float
    waiting: int
    first_chunk_tokens: int
    guess: bool = True


@dataclass(slots=True, kw_only=True)
class Asked:
    """A token whose grammar's verdict is awaited, with the logits to draw again from and the raw ones for logprobs."""

    token: int
    logits: Logits
    raw: Logits


@dataclass(slots=True, kw_only=True)
class Running:
    """A sequence in its slot; `held` ids of it are in the context. `due`: not before (monotonic seconds).

    `leader` is reading a prompt that begins with the same `shared` ids: they are copied from it when it has them.
    """

    sequence: Sequence
    slot: int
    held: int
    due: float = 0.0
    told: float = 0.0
    decoding: bool = False
    oracle: Oracle | None = None
    oracle_ready: bool = True
    asked: Asked | None = None
    leader: "Running | None" = None
    shared: int = 0
    lookup: Lookup | None = None
    trust: Trust = field(default_factory=Trust)

    @property
    def job(self) -> Job:
        return self.sequence.job


def key_of(job: Job | Cancel) -> Key:
    return job.job, job.epoch


def no_slot(job: Job) -> Failed:
    """Every slot and every waiting place is taken."""
    return Failed(job=job.job, epoch=job.epoch, code="no_slot", message="every slot of this engine is taken", retryable=True)
