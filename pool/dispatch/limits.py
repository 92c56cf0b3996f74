"""The bounds of an answer: how long it may wait for what, and how much it may take."""

from dataclasses import dataclass

from iamine.manifest import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a request may wait to be started, in seconds, and the default bound of an answer, in tokens.

    `same_model_wait_s`: how long an answer that was begun waits for its own model before another goes on from its text.
    The think tool is offered to models of `think_tiers`; what is asked by it may take `think_timeout_s` and `think_tokens`.
    """

    stream_deadline_s: float = 300.0
    plain_deadline_s: float = 100.0
    answer_cap_tokens: int = 32_768
    same_model_wait_s: float = 20.0
    think_tiers: tuple[Tier, ...] = ("micro", "small")
    think_tokens: int = 512
    think_timeout_s: float = 60.0
