"""The worker: the pool's jobs go to the engine, the engine's frames go to the pool, and everything is counted."""

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from appliance.agent.throughput import Throughput
from appliance.agent.types import Linked, LinkState, Snapshot, Status, Unlinked
from iamine.ids import JobId
from iamine.wire.messages import (
    Cancel,
    Drain,
    Embedded,
    EngineOut,
    Failed,
    Finished,
    FromWorker,
    Hardware,
    Job,
    ManifestUpdate,
    ModelOffer,
    Models,
    Progress,
    Started,
    Step,
)


class Engines(Protocol):
    """What runs the models."""

    @property
    def offers(self) -> tuple[ModelOffer, ...]:
        """The loaded models."""

    @property
    def ready(self) -> bool:
        """Whether work can be taken."""

    def submit(self, job: Job) -> None:
        """Start a job; problems come as Failed frames."""

    def cancel(self, cancel: Cancel) -> None:
        """Stop one job."""

    def cancel_all(self) -> None:
        """Stop every job."""


class Channel(Protocol):
    """The way to the pool."""

    def send(self, message: FromWorker) -> None:
        """Queue a message."""

    def changed(self) -> None:
        """Make a heartbeat due."""


class Worker:
    """Owns the list of jobs that this machine runs for its pool. `clock` gives monotonic seconds; `say` takes a line.

    `renew` keeps a manifest that the pool sent and says in a line what came of it.
    """

    def __init__(
        self,
        *,
        hardware: Hardware,
        say: Callable[[str], None],
        clock: Callable[[], float],
        renew: Callable[[ManifestUpdate], str] = lambda news: "a newer list of models is passed over",
    ) -> None:
        self._hardware = hardware
        self._say = say
        self._clock = clock
        self._renew = renew
        self._engines: Engines | None = None
        self._channel: Channel | None = None
        self._jobs: set[tuple[JobId, int]] = set()
        self._link: LinkState | None = None
        self._pool_drains = False
        self._leaving = False
        self._throughput = Throughput()
        self._last_step_s = 0.0
        self._done = self._failed = self._tokens = 0

    def attach(self, engines: Engines, channel: Channel) -> None:
        """Give the worker its two sides; before that it refuses every job."""
        self._engines, self._channel = engines, channel

    def drain(self) -> None:
        """Take no job from now on."""
        self._leaving = True

    # ---- what the link asks ------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """What this machine is and does now."""
        offers = self._engines.offers if self._engines else ()
        slots = sum(offer.slots for offer in offers)
        running = len(self._jobs)
        ready = bool(self._engines and self._engines.ready and not self._leaving)
        load = running / slots if slots else 0.0
        return Snapshot(hardware=self._hardware, offers=offers, running=running, ready=ready, load=round(load, 3))

    def heard(self, message: Job | Cancel | Drain | ManifestUpdate) -> None:
        """A message of the pool."""
        match message:
            case Job():
                self._take(message)
            case Cancel():
                self._stop(message)
            case ManifestUpdate():
                self._say(self._renew(message))
            case Drain():
                self._pool_drains = True
                self._say(f"the pool drains this worker{': ' + message.reason if message.reason else ''}")

    def linked(self, state: LinkState) -> None:
        """The link changed. When it is lost the running jobs are stopped: the pool goes on with them elsewhere."""
        was_linked, self._link = isinstance(self._link, Linked), state
        match state:
            case Linked():
                self._pool_drains = False
                self._say(f"linked to {state.pool or 'the pool'} ({state.fingerprint}) as {state.worker}")
            case Unlinked():
                self._say(f"{state.reason}; next try in {state.retry_in_s:.0f} s")
            case _:
                pass
        if was_linked and not isinstance(state, Linked):
            self._abandon()

    # ---- what the engine tells -----------------------------------------------------------------------------------------

    def on_frame(self, frame: EngineOut) -> None:
        """A frame of the engine: passed on if the pool still waits for it."""
        match frame:
            case Step():
                self._on_step(frame)
            case Started() | Progress():
                if (frame.job, frame.epoch) in self._jobs:
                    self._send(frame)
            case Finished() | Embedded() | Failed():
                self._on_end(frame)

    def on_offers(self, offers: tuple[ModelOffer, ...]) -> None:
        """The engine's models changed (or were lost)."""
        if isinstance(self._link, Linked):
            self._send(Models(models=offers))
            self._changed()

    def status(self) -> Status:
        """What to show."""
        return Status(
            models=self._engines.offers if self._engines else (),
            link=self._link,
            running=len(self._jobs),
            jobs_done=self._done,
            jobs_failed=self._failed,
            tokens=self._tokens,
            rate_tps=self._throughput.rate_tps,
            draining=self._leaving or self._pool_drains,
        )

    # ---- inside ----------------------------------------------------------------------------------------------------------

    def _take(self, job: Job) -> None:
        """Run a job, or say at once why not."""
        if self._leaving or self._pool_drains:
            self._refuse(job, "draining", "this worker takes no new jobs")
        elif self._engines is None or all(offer.file_sha256 != job.file_sha256 for offer in self._engines.offers):
            self._refuse(job, "model_missing", "this worker has not loaded that model file")
        else:
            if not self._jobs:
                self._last_step_s = self._clock()
            self._jobs.add((job.job, job.epoch))
            self._engines.submit(job)
            self._changed()

    def _refuse(self, job: Job, code: Literal["draining", "model_missing"], message: str) -> None:
        self._send(Failed(job=job.job, epoch=job.epoch, code=code, message=message, retryable=True))

    def _stop(self, cancel: Cancel) -> None:
        if (cancel.job, cancel.epoch) in self._jobs:
            self._jobs.discard((cancel.job, cancel.epoch))
            if self._engines:
                self._engines.cancel(cancel)
            self._changed()

    def _abandon(self) -> None:
        if self._jobs:
            self._say(f"{len(self._jobs)} running jobs are given up with the link")
        self._jobs.clear()
        if self._engines:
            self._engines.cancel_all()

    def _on_step(self, step: Step) -> None:
        sequences = tuple(each for each in step.sequences if (each.job, each.epoch) in self._jobs)
        if not sequences:
            return
        now, tokens = self._clock(), sum(len(each.ids) for each in sequences)
        self._throughput = self._throughput.add(tokens, now - self._last_step_s)
        self._last_step_s = now
        self._tokens += tokens
        self._send(step if len(sequences) == len(step.sequences) else msgspec.structs.replace(step, sequences=sequences))

    def _on_end(self, frame: Finished | Embedded | Failed) -> None:
        if (frame.job, frame.epoch) not in self._jobs:
            return
        self._jobs.discard((frame.job, frame.epoch))
        if isinstance(frame, Failed):
            self._failed += 1
            self._say(f"{frame.job} failed: {frame.code}")
        else:
            self._done += 1
        self._send(frame)
        self._changed()

    def _send(self, message: FromWorker) -> None:
        if self._channel:
            self._channel.send(message)

    def _changed(self) -> None:
        if self._channel:
            self._channel.changed()
