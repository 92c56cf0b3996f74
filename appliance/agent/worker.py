"""The worker: the pool's jobs go to the engine, the engine's frames go to the pool, and everything is counted."""

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from appliance.agent.held import Holds
from appliance.agent.regard import Regard
from appliance.agent.slots import Slots
from appliance.agent.throughput import Throughput
from appliance.agent.types import Linked, LinkState, Snapshot, Status, Unlinked
from iamine.ids import JobId, ModelId
from iamine.wire.messages import (
    Cancel,
    Claim,
    Demand,
    Drain,
    Embedded,
    EngineOut,
    Failed,
    Finished,
    FromWorker,
    Hardware,
    Heartbeat,
    Job,
    ManifestUpdate,
    ModelOffer,
    Models,
    Progress,
    Resume,
    Standing,
    Started,
    Step,
    ToWorker,
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

    `renew` keeps a manifest that the pool sent and says in a line what came of it; `lacks` is told what the pool lacks.
    """

    def __init__(
        self,
        *,
        hardware: Hardware,
        say: Callable[[str], None],
        clock: Callable[[], float],
        renew: Callable[[ManifestUpdate], str] = lambda news: "a newer list of models is passed over",
        lacks: Callable[[Demand], None] = lambda demand: None,
    ) -> None:
        self._hardware = hardware
        self._say = say
        self._clock = clock
        self._renew, self._lacks = renew, lacks
        self._engines: Engines | None = None
        self._channel: Channel | None = None
        self._jobs: set[tuple[JobId, int]] = set()
        self._holds = Holds()
        self._link: LinkState | None = None
        self._pool_drains = False
        self._leaving = False
        self._resting = ""
        self._moving: ModelId | None = None
        self._moving_tps, self._course = 0.0, ""
        self._regard = Regard()
        self._throughput = Throughput()
        self._slots = Slots()
        self._last_failure = ""
        self._last_step_s = 0.0
        self._done = self._failed = self._tokens = 0

    def attach(self, engines: Engines, channel: Channel) -> None:
        """Give the worker its two sides; before that it refuses every job."""
        self._engines, self._channel = engines, channel

    def drain(self) -> int:
        """Take no job from now on and give those that run back: how many there were."""
        self._leaving = True
        return self._give_back()

    def rest(self, reason: str) -> int:
        """The owner wants the machine: as `drain`, until `resume`."""
        self._resting = reason
        return self._give_back()

    def resume(self) -> None:
        """The owner lends the machine again."""
        self._resting = ""
        self._changed()

    def move(self, model: ModelId, work_tps: float) -> None:
        """Another model is to be served soon: take no new job; those that run end here, and the pool counts on it."""
        self._moving, self._moving_tps = model, work_tps
        self._changed()

    def settle(self, course: str) -> None:
        """Take jobs again; `course` is what was made of what the pool lacks, in words."""
        self._course = course
        if self._moving:
            self._moving, self._moving_tps = None, 0.0
            self._changed()

    def moved(self, hardware: Hardware) -> None:
        """The machine is another than it was; the pool hears of it with the next link."""
        self._hardware = hardware

    # ---- what the link asks ------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """What this machine is and does now."""
        offers = self._engines.offers if self._engines else ()
        slots = sum(offer.slots for offer in offers)
        running = len(self._jobs)
        idle = self._leaving or self._resting or self._moving
        ready = bool(self._engines and self._engines.ready and not idle)
        load = running / slots if slots else 0.0
        return Snapshot(
            hardware=self._hardware,
            offers=offers,
            running=running,
            ready=ready,
            load=round(load, 3),
            resting=bool(self._resting),
            holding=self._holds.told(),
            moving_to=self._moving,
            moving_tps=self._moving_tps,
        )

    def heard(self, message: ToWorker) -> None:
        """A message of the pool."""
        match message:
            case Job():
                self._take(message)
            case Cancel():
                self._stop(message)
            case Resume():
                self._resume(message)
            case ManifestUpdate():
                self._say(self._renew(message))
            case Drain():
                self._pool_drains = True
                self._say(f"the pool drains this worker{': ' + message.reason if message.reason else ''}")
            case Standing():
                self._aloud(self._regard.stands(message))
            case Claim():
                self._aloud(self._regard.claimed(message, self._clock()))
            case Demand():
                self._lacks(message)

    def linked(self, state: LinkState) -> None:
        """The link changed. When it is lost the running jobs are stopped, for the pool goes on with them elsewhere; but
        those that the pool wants held go on, in case that it is the pool which is lost.
        """
        was_linked, self._link = isinstance(self._link, Linked), state
        match state:
            case Linked():
                self._pool_drains = False
                self._regard.linked()
                self._holds.linked(self._clock())
                self._say(f"linked to {state.pool or 'the pool'} ({state.fingerprint}) as {state.worker}")
            case Unlinked():
                self._say(f"{state.reason}; next try in {state.retry_in_s:.0f} s")
            case _:
                pass
        if was_linked and not isinstance(state, Linked):
            self._holds.lost(self._clock())
            self._abandon()

    def tick(self) -> None:
        """To be called every few seconds: held jobs that nobody asked for in time are given up."""
        for job, epoch in self._holds.overdue(self._clock()):
            self._say(f"{job} is given up: no pool has asked for it")
            self._stop(Cancel(job=job, epoch=epoch))

    # ---- what the engine tells -----------------------------------------------------------------------------------------

    def on_frame(self, frame: EngineOut) -> None:
        """A frame of the engine: passed on if the pool still waits for it."""
        match frame:
            case Step():
                self._on_step(frame)
            case Started():
                if (frame.job, frame.epoch) in self._jobs and self._holds.note(frame):
                    self._send(frame)
            case Progress():
                if (frame.job, frame.epoch) in self._jobs and not self._holds.waits((frame.job, frame.epoch)):
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
            standing="" if self._jobs else self._regard.standing(),
            resting=self._resting,
            slots=self._slots.told(self._jobs),
            last_failure=self._last_failure,
            claim_code=self._regard.code(self._clock()) if isinstance(self._link, Linked) else "",
            owner=self._regard.owner,
            course=self._course,
        )

    # ---- inside ----------------------------------------------------------------------------------------------------------

    def _take(self, job: Job) -> None:
        """Run a job, or say at once why not."""
        if self._leaving or self._pool_drains or self._resting or self._moving:
            self._refuse(job, "draining", "this worker takes no new jobs")
        elif self._engines is None or (model := self._engines_model(job)) is None:
            self._refuse(job, "model_missing", "this worker has not loaded that model file")
        else:
            if not self._jobs:
                self._last_step_s = self._clock()
            self._jobs.add((job.job, job.epoch))
            self._slots.take((job.job, job.epoch), model)
            self._holds.take(job)
            self._engines.submit(job)
            self._changed()

    def _engines_model(self, job: Job) -> ModelId | None:
        """The loaded model that the job is for."""
        offers = self._engines.offers if self._engines else ()
        return next((offer.model for offer in offers if offer.file_sha256 == job.file_sha256), None)

    def _refuse(self, job: Job, code: Literal["draining", "model_missing"], message: str) -> None:
        self._send(Failed(job=job.job, epoch=job.epoch, code=code, message=message, retryable=True))

    def _give_back(self) -> int:
        """The pool goes on with every running job elsewhere, at once: first it hears that we take none, then each job."""
        jobs = list(self._jobs)
        if jobs:
            self._send(Heartbeat(running=0, ready=False, resting=bool(self._resting)))
        for job, epoch in jobs:
            message = "the machine's owner wants it back"
            self._send(Failed(job=job, epoch=epoch, code="draining", message=message, retryable=True))
            self._stop(Cancel(job=job, epoch=epoch))
        self._changed()
        return len(jobs)

    def _stop(self, cancel: Cancel) -> None:
        self._holds.drop((cancel.job, cancel.epoch))
        if (cancel.job, cancel.epoch) in self._jobs:
            self._jobs.discard((cancel.job, cancel.epoch))
            if self._engines:
                self._engines.cancel(cancel)
            self._changed()

    def _resume(self, asked: Resume) -> None:
        """Tell a held job's frames again, or that they are not here."""
        frames = self._holds.resume(asked)
        if frames is None:
            message = f"its frames from token {asked.index} on are not here any more"
            self._send(Failed(job=asked.job, epoch=asked.epoch, code="engine_lost", message=message, retryable=True))
            self._stop(Cancel(job=asked.job, epoch=asked.epoch))
            return
        for frame in frames:
            self._send(frame)
        if frames and isinstance(frames[-1], Finished):
            self._holds.drop((asked.job, asked.epoch))

    def _abandon(self) -> None:
        held = {key for key in self._jobs if key in self._holds}
        given_up, self._jobs = self._jobs - held, held
        if given_up:
            self._say(f"{len(given_up)} running jobs are given up with the link")
        if held:
            self._say(f"{len(held)} running jobs go on without the link for a while")
        if self._engines and not held:
            self._engines.cancel_all()
        elif self._engines:
            for job, epoch in given_up:
                self._engines.cancel(Cancel(job=job, epoch=epoch))

    def _on_step(self, step: Step) -> None:
        sequences = tuple(each for each in step.sequences if (each.job, each.epoch) in self._jobs)
        if not sequences:
            return
        now, tokens = self._clock(), sum(len(each.ids) for each in sequences)
        self._throughput = self._throughput.add(tokens, now - self._last_step_s)
        self._last_step_s = now
        self._tokens += tokens
        self._slots.step({(each.job, each.epoch): len(each.ids) for each in sequences}, now)
        sequences = tuple(each for each in sequences if self._holds.note(each))
        if sequences:
            self._send(step if len(sequences) == len(step.sequences) else msgspec.structs.replace(step, sequences=sequences))

    def _on_end(self, frame: Finished | Embedded | Failed) -> None:
        if (frame.job, frame.epoch) not in self._jobs:
            return
        self._jobs.discard((frame.job, frame.epoch))
        if isinstance(frame, Failed):
            self._failed += 1
            self._last_failure = frame.code
            self._say(f"{frame.job} failed: {frame.code}")
        else:
            self._done += 1
        self._told_end(frame)
        self._changed()

    def _told_end(self, frame: Finished | Embedded | Failed) -> None:
        """The end of a job that waits to be asked for is kept, unless it failed: then there is nothing to ask for."""
        key = frame.job, frame.epoch
        waits = self._holds.waits(key)
        if isinstance(frame, Finished):
            self._holds.note(frame)
        if not waits:
            self._send(frame)
        if not waits or isinstance(frame, Failed):
            self._holds.drop(key)

    def _aloud(self, line: str) -> None:
        if line:
            self._say(line)

    def _send(self, message: FromWorker) -> None:
        if self._channel:
            self._channel.send(message)

    def _changed(self) -> None:
        if self._channel:
            self._channel.changed()
