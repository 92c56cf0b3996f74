"""How long the pool waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the pool waits for what, in seconds (stream.md), and how often a job may be lost without progress.

    A lost link (`fruitless_links`) is hardly the job's fault; an engine that died or stalled over it may well be.
    """

    beat_busy_s: float = 1.0
    beat_idle_s: float = 15.0
    busy_silence_s: float = 2.5
    idle_silence_s: float = 45.0
    stall_s: float = 3.0
    stall_steps: float = 3.0
    embedding_s: float = 60.0
    resume_s: float = 60.0
    late_tick_s: float = 1.0
    fruitless_workers: int = 2
    fruitless_losses: int = 3
    fruitless_links: int = 6
