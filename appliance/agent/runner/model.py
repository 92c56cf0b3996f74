"""One model that is kept loaded: its engine, its running jobs, its restarts."""

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from appliance.agent.engine.protocol import FrameTooLarge, FromEngine, Load, Loaded, LoadFailed
from appliance.agent.errors import EngineAway, EngineFailed, EngineQuarantined
from appliance.agent.runner.child import Child
from appliance.agent.runner.process import Launch, spawn
from appliance.agent.runner.quarantine import CRASHES, Crash, Quarantine, is_dangerous
from appliance.agent.types import ModelSpec
from iamine.wire.messages import Cancel, Embedded, EngineOut, Failed, Finished, Job, ModelOffer, Progress, Started, Step

BACKOFF_S = (0.0, 0.5, 2.0, 5.0, 15.0, 60.0)  # before restart n; the last one again and again
CHECKS_PER_STUCK = 6
AWAY_TRIES = 4  # to reach the engine host before a first load fails
LOAD_S = 1800.0  # 100 GB from a slow disk; after that it counts as a crash

Key = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Where a model tells what happens: frames of its jobs, that its offer came or went, and that its engine died.

    `on_crash(spec, last words, too often)` returns whether the file is excused when it was too often.
    """

    on_frame: Callable[[EngineOut], None]
    on_change: Callable[[], None]
    on_crash: Callable[[ModelSpec, str, bool], bool] = lambda spec, words, often: False


def failed(job: Job, code: str, message: str, *, retryable: bool = True) -> Failed:
    """A Failed frame for the job."""
    return Failed(job=job.job, epoch=job.epoch, code=code, message=message, retryable=retryable)  # type: ignore[arg-type]


def load_frame(spec: ModelSpec) -> Load:
    """What the engine is asked to load."""
    return Load(
        path=str(spec.path),
        file_sha256=spec.file_sha256,
        kind=spec.kind,
        exact=spec.exact,
        slots=spec.slots,
        context_tokens=spec.context_tokens,
        threads=spec.threads,
        gpu_layers=spec.gpu_layers,
        devices=spec.devices,
        max_tps=spec.max_tps,
        measure_s=spec.measure_s,
        prefill_tps=spec.prefill_tps,
        decode_tps=spec.decode_tps,
    )


def offer_of(spec: ModelSpec, loaded: Loaded) -> ModelOffer:
    """What the pool may be told about the loaded model."""
    return ModelOffer(
        model=spec.model,
        file_sha256=spec.file_sha256,
        template_sha256=loaded.template_sha256,
        kind=spec.kind,
        tool_format=spec.tool_format,
        reasoning_format=spec.reasoning_format,
        slots=loaded.slots,
        context_tokens=loaded.context_tokens,
        vocabulary_tokens=loaded.vocabulary_tokens,
        embedding_dimensions=loaded.embedding_dimensions,
        prefill_tps=loaded.prefill_tps,
        decode_tps=loaded.decode_tps if spec.max_tps is None else min(loaded.decode_tps, spec.max_tps),
        exact=loaded.exact,
    )


@dataclass(slots=True)
class Model:
    """`offer` is None while no engine is up; `loaded` is what the last one said. Owned by the event loop's thread."""

    spec: ModelSpec
    quarantine: Quarantine
    listeners: Listeners
    stuck_s: float
    launch: Launch = spawn
    offer: ModelOffer | None = None
    loaded: Loaded | None = None
    running: dict[Key, Job] = field(default_factory=dict)
    _child: Child | None = None
    _crashes: list[Crash] = field(default_factory=list)
    _jobs_done: int = 0
    _heard: float = 0.0
    _keeping: "asyncio.Task[None] | None" = None

    async def load(self) -> ModelOffer:
        """Starts the engine, as often as the quarantine allows, and keeps it up from then on. Raises EngineFailed."""
        away = 0
        while True:
            if self.quarantine.holds(self.spec):
                raise self._quarantined()
            try:
                offer = await self._start()
            except EngineAway:  # it may be starting, too
                away += 1
                if away >= AWAY_TRIES:
                    raise
                await asyncio.sleep(BACKOFF_S[away])
                continue
            if offer is not None:
                self._keeping = asyncio.create_task(self._keep(), name=f"engine of {self.spec.model}")
                return offer

    async def close(self) -> None:
        """Ends the engine; running jobs are given back."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        child, self._child = self._child, None
        self._lose("draining", "the worker is stopping")
        if child is not None:
            await child.end()

    # ---- jobs

    def submit(self, job: Job) -> None:
        """Hands the job to the engine, or answers it with a Failed frame."""
        child = self._child if self.offer is not None else None
        try:
            if child is None:
                raise ConnectionError
            child.send(job)
        except ConnectionError:
            self._answer(failed(job, "engine_lost", "the engine is being restarted"))
        except FrameTooLarge as error:
            self._answer(failed(job, "bad_request", str(error), retryable=False))
        else:
            if not self.running:
                self._heard = time.monotonic()
            self.running[job.job, job.epoch] = job

    def _answer(self, frame: EngineOut) -> None:
        """Later, so that a caller is never called back from inside `submit`."""
        asyncio.get_running_loop().call_soon(self.listeners.on_frame, frame)

    def cancel(self, cancel: Cancel) -> bool:
        """Whether the job was running here."""
        if self.running.pop((cancel.job, cancel.epoch), None) is None:
            return False
        if self._child is not None:
            self._child.send(cancel)
        return True

    def _hear(self, frame: FromEngine) -> None:
        """Passes on what belongs to running jobs."""
        self._heard = time.monotonic()
        match frame:
            case Step():
                mine = tuple(s for s in frame.sequences if (s.job, s.epoch) in self.running)
                if mine:
                    self.listeners.on_frame(frame if len(mine) == len(frame.sequences) else Step(sequences=mine))
            case Started() | Progress():
                if (frame.job, frame.epoch) in self.running:
                    self.listeners.on_frame(frame)
            case Finished() | Embedded() | Failed():
                if self.running.pop((frame.job, frame.epoch), None) is not None:
                    self._jobs_done += not isinstance(frame, Failed)
                    self.listeners.on_frame(frame)
            case Loaded() | LoadFailed():
                pass  # said once, while starting

    def _lose(self, code: str, message: str) -> None:
        """Gives every running job back, and the offer with it."""
        had, self.offer = self.offer, None
        running, self.running = self.running, {}
        for job in running.values():
            self.listeners.on_frame(failed(job, code, message))
        if had is not None:
            self.listeners.on_change()

    # ---- the engine's life

    async def _start(self) -> ModelOffer | None:
        """One try: the offer, or None if the engine died. Raises EngineFailed when it says that it cannot load, EngineAway."""
        child = await Child.start(load_frame(self.spec), self.launch)
        try:
            said = await asyncio.wait_for(anext(child.frames, None), LOAD_S)
        except asyncio.TimeoutError:
            said = None
        except BaseException:
            child.kill()
            await child.end(0.0)
            raise
        if isinstance(said, Loaded):
            self._child, self.offer, self.loaded = child, offer_of(self.spec, said), said
            if self.spec.measure_s:  # once: an engine that comes back has the same figures
                self.spec = replace(self.spec, measure_s=0.0, prefill_tps=said.prefill_tps, decode_tps=said.decode_tps)
            return self.offer
        status = await child.end()
        if isinstance(said, LoadFailed):
            raise EngineFailed(said.message, hint=said.hint)
        if status is None:
            hint = "journalctl -u iamine-engine tells why; it is tried again"
            raise EngineAway(f"{self.spec.path.name}: the engine host was lost while it loaded", hint=hint)
        if status == -signal.SIGKILL and self.loaded is None:
            hint = "Most likely the memory ran out: close other programs, or use a smaller model."
            raise EngineFailed(f"{self.spec.path.name}: its engine was killed while it loaded", hint=hint)
        self._note_crash(f"exit status {status} while loading: {child.last_words()}")
        return None

    async def _keep(self) -> None:
        """Listens to the engine, and starts another when it dies, until the file is quarantined or cannot be loaded."""
        while self._child is not None:
            child = self._child
            watching = asyncio.create_task(self._watch(child), name="engine watch")
            try:
                async for frame in child.frames:
                    self._hear(frame)
            finally:
                watching.cancel()
            self._lose("engine_lost", "the engine died while the job ran")
            self._child = None
            status = await child.end(0.0)
            if status is not None:  # else the host died, and the engine with it: not the file's fault
                self._note_crash(f"exit status {status}: {child.last_words()}")
            await self._restart()

    async def _restart(self) -> None:
        tries = 0
        while self._child is None and not self.quarantine.holds(self.spec):
            await asyncio.sleep(BACKOFF_S[min(tries, len(BACKOFF_S) - 1)])
            tries += 1
            try:
                if await self._start() is not None:
                    self.listeners.on_change()
            except EngineAway:
                continue
            except EngineFailed:
                if tries >= len(BACKOFF_S):
                    return

    async def _watch(self, child: Child) -> None:
        """Kills an engine that says nothing for `stuck_s` while jobs run."""
        while True:
            await asyncio.sleep(self.stuck_s / CHECKS_PER_STUCK)
            if self.running and time.monotonic() - self._heard > self.stuck_s:
                child.kill()

    def _note_crash(self, last_words: str) -> None:
        self._crashes.append(Crash(at=time.monotonic(), jobs_done=self._jobs_done))
        del self._crashes[:-CRASHES]
        often = is_dangerous(self._crashes)
        if self.listeners.on_crash(self.spec, last_words, often) and often:
            self._crashes.clear()
        elif often:
            self.quarantine.add(self.spec, now=time.time(), last_words=last_words)

    def _quarantined(self) -> EngineQuarantined:
        note = self.quarantine.path(self.spec)
        return EngineQuarantined(
            f"{self.spec.path.name} is quarantined: its engine died {CRASHES} times in a row",
            hint=f"Check the file or update IAMINE, then delete {note} to try again.",
        )
