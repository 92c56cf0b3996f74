"""The nouns of routing, shared by hub, dispatch and api: what is asked, and what is told while it is answered."""

from dataclasses import dataclass, field
from typing import Literal

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.wire.messages import Sampling, TokenLogprob, Value, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a running job's model file, its template and the ids of its prompt are known by; empty for what is not."""

    file_sha256: str = ""
    template_sha256: str = ""
    prompt_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What a lost pool had written down of a job: its tokens and who gave them from where on, its file, its last epoch."""

    ids: tuple[int, ...] = ()
    givers: tuple[tuple[WorkerId, int], ...] = ()
    prompt_tokens: int = 0
    cached_tokens: int = 0
    file_sha256: str = ""
    template_sha256: str = ""
    prompt_sha256: str = ""
    epoch: int = 0


class JobOrder(Value, frozen=True, kw_only=True):
    """One sequence to produce (n>1 is n orders). Times are the hub's monotonic seconds; tokens are estimates.

    `hold_s`: so long a worker goes on with it when its link is lost. `resumed`: an earlier pool had begun it.
    `wish`: the model or the tier that was asked for, where another answers.
    """

    job: JobId
    account: AccountId
    model: ModelId
    work: Work
    sampling: Sampling
    wall_time_s: float
    deadline_s: float
    estimated_prompt_tokens: int = 0
    hold_s: float = 0.0
    resumed: Resumed | None = None
    wish: str = ""


class Queued(Value, frozen=True, kw_only=True):
    """The job waits: its place (1 = next) and the expected wait, None while nobody knows."""

    position: int
    estimate_s: float | None


class Begun(Value, frozen=True, kw_only=True):
    """A worker took the job and tokenised the prompt. Told again (with a higher epoch) when the job moves.

    `reasoning`: the answer's text begins inside the model's reasoning. `marks`: its own marks, told from others' by MARK.
    """

    worker: WorkerId
    epoch: int
    prompt_tokens: int
    cached_tokens: int
    reasoning: bool = False
    marks: tuple[str, ...] = ()


class Prefilled(Value, frozen=True, kw_only=True):
    """The prompt is being read: tokens done of all."""

    done_tokens: int
    total_tokens: int


class Delta(Value, frozen=True, kw_only=True):  # made for every token: a quarter of a dataclass's price
    """New tokens: `ids[j]` is token `index + j`; `text` is what may be shown by now and may lag behind the ids."""

    index: int
    ids: tuple[int, ...]
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


class Ended(Value, frozen=True, kw_only=True):
    """The answer is whole: why it ended, the last text, and how many tokens each worker gave, in order.

    `stop` is the stop string that ended it, if one did.
    """

    reason: Literal["stop", "length"]
    text: str
    tokens: int
    prompt_tokens: int
    cached_tokens: int
    segments: tuple["Segment", ...]
    stop: str = ""


class Vectors(Value, frozen=True, kw_only=True):
    """The embeddings, in the order of the inputs."""

    vectors: tuple[tuple[float, ...], ...]
    prompt_tokens: int
    segments: tuple["Segment", ...]


class Segment(Value, frozen=True, kw_only=True):
    """Tokens [start, stop) of the answer came from this worker."""

    worker: WorkerId
    start: int
    stop: int


class Start(Value, frozen=True, kw_only=True):
    """What is kept of a request from its beginning: who asked when (seconds since 1970) for what, and why this tier."""

    job: JobId
    account: AccountId
    model: ModelId
    at_s: float
    tier: str = ""
    degraded: bool = False
    tier_reason: str = ""


JobEvent = Queued | Begun | Prefilled | Delta | Ended | Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """A model as clients see it: known (in the manifest) or offered now by `workers` workers."""

    model: ModelId
    kind: Literal["chat", "completion", "embedding"]
    context_tokens: int
    vocabulary_tokens: int
    tool_format: str
    workers: int
    created: int
    reasoning_format: str = ""
    owned_by: str = "iamine"
    file_sha256: tuple[str, ...] = field(default=())
