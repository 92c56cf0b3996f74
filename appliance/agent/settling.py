"""Models are loaded, measured the first time, and given up for a smaller one where the measure speaks against them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from appliance.agent.engine.protocol import Loaded
from appliance.agent.errors import EngineFailed, EngineQuarantined, NotTheFile
from appliance.agent.plan import Plan
from appliance.agent.types import ModelFile, ModelSpec
from appliance.agent.verdict import Verdict, against, figures, measure_s
from iamine.wire.messages import ModelOffer


class Engines(Protocol):
    """What runs the models."""

    @property
    def running(self) -> int:
        """Jobs that have not ended."""

    async def load(self, spec: ModelSpec) -> ModelOffer:
        """Load a model. Raises EngineFailed."""

    def loaded(self, file_sha256: str) -> Loaded | None:
        """What a loaded model's engine said of itself."""

    async def unload(self, file_sha256: str) -> None:
        """Let a model go."""


class Book(Protocol):
    """Where verdicts are remembered."""

    @property
    def known(self) -> Mapping[str, Verdict]:
        """By file hash."""

    def keep(self, verdict: Verdict, *, lasting: bool = True) -> None:
        """Remember it; not `lasting`: only while this process lives."""


@dataclass(slots=True, kw_only=True)
class Settling:
    """`serving` is what is to be loaded; `choose` plans anew with the `files` at hand and what the book knows by then.

    `used` is told what was loaded.
    """

    engines: Engines
    book: Book
    serving: Sequence[ModelSpec]
    files: Sequence[ModelFile]
    choose: Callable[[Sequence[ModelFile]], Plan]
    say: Callable[[str], None]
    used: Callable[[ModelSpec], None] = lambda spec: None
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time

    @property
    def running(self) -> int:
        """Jobs that have not ended."""
        return self.engines.running

    async def unload(self, file_sha256: str) -> None:
        """Let a model go."""
        await self.engines.unload(file_sha256)

    async def settle(self) -> None:
        """Load what serves, or what serves instead of what fails or is slow. Raises EngineFailed when nothing else is there."""
        while True:
            before = dict(self.book.known)
            failure = await self._load_all()
            if failure is None and all(before.get(key) == value for key, value in self.book.known.items()):
                return
            planned = self.choose(self.files)
            kept = {spec.file_sha256 for spec in planned.specs}
            if planned.problem or kept == {spec.file_sha256 for spec in self.serving}:
                if failure is not None:
                    raise failure
                return
            self.say(f"stepping down: {'; '.join(planned.reasons)}")
            for spec in self.serving:
                if spec.file_sha256 not in kept:
                    await self.engines.unload(spec.file_sha256)
            self.serving = planned.specs

    async def _load_all(self) -> EngineFailed | None:
        """What went wrong, if something did and was remembered."""
        for spec in self.serving:
            try:
                await self.load(spec)
            except NotTheFile:
                raise
            except EngineFailed as error:
                return error
        return None

    async def load(self, spec: ModelSpec) -> ModelOffer:
        """Load a model, measured unless its figures are known; what comes of it is remembered. Raises EngineFailed."""
        known, began = self.book.known.get(spec.file_sha256), self.clock()
        try:
            offer = await self.engines.load(asked(spec, known))
        except NotTheFile:
            raise
        except EngineFailed as error:
            self._failed(spec, known, error)
            raise
        self.used(spec)
        took_s = self.clock() - began
        self.say(f"loaded {offer.model} in {took_s:.1f} s: {offer.slots} slots of {offer.context_tokens} tokens")
        loaded = self.engines.loaded(spec.file_sha256)
        if loaded is not None and loaded.decode_all_tps > 0:
            known = measured(spec, loaded, load_s=took_s, at=self.now())
            self.book.keep(known)
            self.say(f"measured {offer.model}: {figures(known)}")
        return offer

    def _failed(self, spec: ModelSpec, known: Verdict | None, error: EngineFailed) -> None:
        """Remembered for good only where it will be so again: what has run here, is quarantined or gone may run tomorrow."""
        ran = known is not None and not known.failure
        lasting = not ran and not isinstance(error, EngineQuarantined) and spec.path.is_file()
        verdict = failed(spec, error, at=self.now())
        self.book.keep(verdict, lasting=lasting)
        self.say(against(verdict) + ("; remembered until machine, driver, engine or file change" if lasting else ""))


def asked(spec: ModelSpec, known: Verdict | None) -> ModelSpec:
    """The spec with its known figures, or with the wish to be measured."""
    if spec.kind == "embedding":
        return spec
    if known is not None and not known.failure and known.prefill_tps > 0:
        return replace(spec, prefill_tps=known.prefill_tps, decode_tps=known.decode_tps)
    return replace(spec, measure_s=measure_s(spec.expected_tps))


def measured(spec: ModelSpec, loaded: Loaded, *, load_s: float, at: float) -> Verdict:
    """The engine's figures as a verdict."""
    return Verdict(
        model=spec.model,
        file_sha256=spec.file_sha256,
        at=at,
        slots=loaded.slots,
        context_tokens=loaded.context_tokens,
        load_s=round(load_s, 2),
        prefill_tps=loaded.prefill_tps,
        prefill_tokens=loaded.prefill_tokens,
        decode_tps=loaded.decode_tps,
        decode_all_tps=loaded.decode_all_tps,
        expected_tps=round(spec.expected_tps, 1),
    )


def failed(spec: ModelSpec, error: EngineFailed, *, at: float) -> Verdict:
    """A file that did not load."""
    return Verdict(
        model=spec.model,
        file_sha256=spec.file_sha256,
        at=at,
        expected_tps=round(spec.expected_tps, 1),
        failure=error.message[:500],
    )
