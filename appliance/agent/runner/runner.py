"""All models of this worker: jobs go to the engine that holds their file."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from appliance.agent.engine.protocol import Loaded
from appliance.agent.errors import EngineStopped
from appliance.agent.runner.model import Listeners, Model, failed
from appliance.agent.runner.process import Launch, spawn
from appliance.agent.runner.quarantine import Quarantine
from appliance.agent.types import ModelSpec
from iamine.wire.messages import Cancel, EngineOut, Job, ModelOffer

STUCK_S = 60.0  # a prompt being read says so each second, and a decode step of a minute helps nobody


class Runner:
    """Owns the engines. Belongs to one event loop, in the main thread; the callbacks are called there."""

    def __init__(
        self,
        *,
        on_frame: Callable[[EngineOut], None],
        on_offers: Callable[[tuple[ModelOffer, ...]], None],
        quarantine_dir: Path,
        stuck_s: float = STUCK_S,
        launch: Launch = spawn,
        on_crash: Callable[[ModelSpec, str, bool], bool] = lambda spec, words, often: False,
    ) -> None:
        self._launch, self._on_crash = launch, on_crash
        self._on_frame = on_frame
        self._on_offers = on_offers
        self._quarantine = Quarantine(quarantine_dir)
        self._stuck_s = stuck_s
        self._models: dict[str, Model] = {}
        self._closed = False

    async def load(self, spec: ModelSpec) -> ModelOffer:
        """Loads the file and keeps it loaded; the same file again gives the same offer.

        Raises EngineFailed, with a hint: the file is bad, is quarantined, or does not fit into memory.
        """
        known = self._models.get(spec.file_sha256)
        if known is not None and known.offer is not None:
            return known.offer
        if known is not None:
            await known.close()
        listeners = Listeners(on_frame=self._on_frame, on_change=self._changed, on_crash=self._on_crash)
        model = Model(spec, self._quarantine, listeners, self._stuck_s, self._launch)
        offer = await model.load()
        if self._closed:
            await model.close()
            raise EngineStopped(f"{spec.path.name}: the worker is stopping", hint="Start the worker again.")
        other = self._models.get(spec.file_sha256)
        if other is not None and other.offer is not None:  # somebody else loaded it meanwhile
            await model.close()
            return other.offer
        self._models[spec.file_sha256] = model
        self._changed()
        return offer

    def loaded(self, file_sha256: str) -> Loaded | None:
        """What the model's engine said when it was ready; None for a model that is not loaded."""
        model = self._models.get(file_sha256)
        return model.loaded if model is not None else None

    async def unload(self, file_sha256: str) -> None:
        """Lets a model go; its running jobs are given back. Unknown ones are ignored."""
        model = self._models.pop(file_sha256, None)
        if model is not None:
            self._changed()
            await model.close()

    def submit(self, job: Job) -> None:
        """Runs the job; what cannot run is answered by a Failed frame. Never raises."""
        model = self._models.get(job.file_sha256)
        if self._closed:
            self._answer(failed(job, "draining", "the worker is stopping"))
        elif model is None:
            self._answer(failed(job, "model_missing", "this worker does not have the model file"))
        else:
            model.submit(job)

    def cancel(self, cancel: Cancel) -> None:
        """Stops that epoch of the job; unknown ones are ignored. No frame follows."""
        any(model.cancel(cancel) for model in self._models.values())

    def cancel_all(self) -> None:
        """Stops every job."""
        for model in self._models.values():
            for job, epoch in list(model.running):
                model.cancel(Cancel(job=model.running[job, epoch].job, epoch=epoch))

    @property
    def running(self) -> int:
        """Jobs that were submitted and have not ended."""
        return sum(len(model.running) for model in self._models.values())

    @property
    def ready(self) -> bool:
        """Whether every model that was loaded has an engine that is up."""
        return not self._closed and bool(self._models) and all(m.offer is not None for m in self._models.values())

    @property
    def offers(self) -> tuple[ModelOffer, ...]:
        """The models that can take work now."""
        return tuple(m.offer for m in self._models.values() if m.offer is not None)

    async def close(self) -> None:
        """Gives running jobs back and ends every engine; under a second."""
        self._closed = True
        await asyncio.gather(*(model.close() for model in self._models.values()))

    async def release(self) -> None:
        """Ends every engine and forgets its model, so that the memory is free; `load` brings them back."""
        models, self._models = self._models, {}
        await asyncio.gather(*(model.close() for model in models.values()))

    def _changed(self) -> None:
        if not self._closed:
            self._on_offers(self.offers)

    def _answer(self, frame: EngineOut) -> None:
        """Later, so that a caller is never called back from inside `submit`."""
        asyncio.get_running_loop().call_soon(self._on_frame, frame)
