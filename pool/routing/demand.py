"""What the pool lacks, by model and by tier: from what is asked for, what waits, and what the workers can give. Pure.

Work is counted in virtual tokens a second (iamine.work). A lack counts once it has lasted, and is over once it has been
gone for a while, so that a moment moves nobody. `come` and `go` say which part of the workers is to follow (ADR 0030).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from iamine.ids import ModelId, WorkerId
from iamine.manifest import Tier
from pool.routing.index import ModelIndex

HALF_LIFE_S = 60.0  # of what was asked for
DRAIN_S = 60.0  # a queue is to be gone in about so long
LACK_SHARE, ENOUGH_SHARE = 0.15, 0.05  # of what is wanted: above the first it begins to lack, below the second it ends
RISE_S, FALL_S = 10.0, 20.0
UNSERVED_S = 2.0  # where nobody is there at all
LEAST_GO = 0.1  # of a model's workers, where none is to spare: others may be worth more
PROMISE_S = 180.0  # a worker that said that it moves has so long to load
FORGET_TPS = 0.01
MOST_MODELS = 256
WORTH: Mapping[Tier, float] = {
    "micro": 1.0,
    "small": 3.0,
    "medium": 8.0,
    "large": 20.0,
    "xlarge": 60.0,
}  # until there are prices


@dataclass(slots=True)
class Rate:
    """How much a second of late: what came longer ago counts less, by HALF_LIFE_S."""

    sum: float = 0.0
    at: float = 0.0

    def add(self, amount: float, now: float) -> None:
        """So much came now."""
        self.sum, self.at = self.sum * _left(now - self.at) + amount, max(now, self.at)

    def per_s(self, now: float) -> float:
        """The rate."""
        return self.sum * _left(now - self.at) * math.log(2) / HALF_LIFE_S


def _left(passed_s: float) -> float:
    return float(0.5 ** (max(0.0, passed_s) / HALF_LIFE_S))


@dataclass(slots=True)
class Lasting:
    """Whether something lacks, with hysteresis. `since` is when the opposite began to show; `urge` grows while nobody comes."""

    lacks: bool = False
    since: float | None = None
    urge: float = 1.0

    def seen(self, lack_tps: float, wanted_tps: float, served: bool, now: float) -> bool:
        """The newest figures; whether it lacks."""
        share = ENOUGH_SHARE if self.lacks else LACK_SHARE
        turned = (lack_tps > max(FORGET_TPS, share * wanted_tps)) is not self.lacks
        if not turned:
            self.since = None
            return self.lacks
        self.since = now if self.since is None else self.since
        if now - self.since >= (FALL_S if self.lacks else RISE_S if served else UNSERVED_S):
            self.lacks, self.since, self.urge = not self.lacks, None, 1.0
        return self.lacks


@dataclass(slots=True)
class Wanted:
    """One model's or tier's figures that run on: work asked of it, work asked and answered elsewhere, and jobs."""

    work: Rate = field(default_factory=Rate)
    unmet: Rate = field(default_factory=Rate)
    jobs: Rate = field(default_factory=Rate)
    refused: Rate = field(default_factory=Rate)
    waited: Rate = field(default_factory=Rate)
    served: Rate = field(default_factory=Rate)
    lasting: Lasting = field(default_factory=Lasting)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFigures:
    """What is known of a model's demand; the fields of iamine.wire.ModelDemand, and the means behind them.

    `unmet_tps`: asked of it and answered by another. `refused_per_min`: given up at their deadline. `wait_s`: the mean of late.
    """

    model: ModelId
    tier: Tier
    wanted_tps: float
    unmet_tps: float
    offered_tps: float
    coming_tps: float
    lack_tps: float
    worth: float
    waiting: int
    workers: int
    come: float
    go: float
    refused_per_min: float
    wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TierFigures:
    """What was asked of a tier and answered below it or not at all; `spare_tps`: what its models have room for."""

    tier: Tier
    unmet_tps: float
    spare_tps: float
    lack_tps: float
    worth: float
    come: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All of it, those that lack most first."""

    models: tuple[ModelFigures, ...] = ()
    tiers: tuple[TierFigures, ...] = ()

    @property
    def lacks(self) -> bool:
        """Whether anything does."""
        return any(one.lack_tps for one in self.models) or any(one.lack_tps for one in self.tiers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A worker said that it will serve the model, with so much work, and has until then."""

    model: ModelId
    work_tps: float
    until: float


class Demand:
    """Counts what is asked for. `tier_of` tells a model's tier. Times are the scheduler's monotonic seconds."""

    def __init__(self, tier_of: Callable[[ModelId], Tier] = lambda model: "micro") -> None:
        self.tier_of = tier_of
        self._models: dict[ModelId, Wanted] = {}
        self._tiers: dict[Tier, Wanted] = {tier: Wanted() for tier in WORTH}
        self._promises: dict[WorkerId, Promise] = {}

    # ---- what happens -----------------------------------------------------------------------------------------------------

    def asked(self, model: ModelId, work: float, now: float) -> None:
        """A job for the model, of so much work."""
        wanted = self._of(model)
        wanted.work.add(work, now)
        wanted.jobs.add(1.0, now)

    def missed(self, wish: str, work: float, now: float) -> None:
        """So much work was asked of a model or a tier, and something else answers it, or nothing."""
        tier = next((tier for tier in WORTH if tier == wish), None)
        (self._of(ModelId(wish)) if tier is None else self._tiers[tier]).unmet.add(work, now)

    def served(self, model: ModelId, waited_s: float, now: float) -> None:
        """A job of it got a worker after so long."""
        wanted = self._of(model)
        wanted.waited.add(waited_s, now)
        wanted.served.add(1.0, now)

    def refused(self, model: ModelId, now: float) -> None:
        """A job of it was given up."""
        self._of(model).refused.add(1.0, now)

    def moves(self, worker: WorkerId, model: ModelId | None, work_tps: float, now: float) -> None:
        """The worker will serve this model soon; None: it does not move (any more)."""
        if model is None:
            self._promises.pop(worker, None)
        elif worker not in self._promises or self._promises[worker].model != model:
            self._promises[worker] = Promise(model=model, work_tps=max(0.0, work_tps), until=now + PROMISE_S)
            for wanted in (self._of(model), self._tiers[self.tier_of(model)]):
                wanted.lasting.urge = 1.0

    # ---- what follows -----------------------------------------------------------------------------------------------------

    def look(self, indexes: Mapping[ModelId, ModelIndex], waiting: Mapping[ModelId, int], now: float) -> Figures:
        """What lacks now; to be asked for at equal intervals, for the urge grows with each."""
        self._forget(indexes, waiting, now)
        models = [self._model(name, indexes.get(name), waiting.get(name, 0), now) for name in {*self._models, *indexes}]
        value = sum(one.worth * one.offered_tps for one in models)
        workers = sum(one.workers for one in models)
        asking = [self._asking(one, value, workers) for one in models]
        tiers = [self._tier(tier, models, value, workers, now) for tier in WORTH]
        asking.sort(key=lambda one: (-one.lack_tps * one.worth, -one.wanted_tps, one.model))
        return Figures(models=tuple(asking), tiers=tuple(tiers))

    def _of(self, model: ModelId) -> Wanted:
        """The model's figures; of more models than can be kept, nothing is kept."""
        if model in self._models or len(self._models) < MOST_MODELS:
            return self._models.setdefault(model, Wanted())
        return Wanted()

    def _forget(self, indexes: Mapping[ModelId, ModelIndex], waiting: Mapping[ModelId, int], now: float) -> None:
        for name, wanted in list(self._models.items()):
            busy = wanted.work.per_s(now) + wanted.unmet.per_s(now) > FORGET_TPS or wanted.lasting.lacks
            if not busy and name not in indexes and not waiting.get(name):
                del self._models[name]
        for worker, promise in list(self._promises.items()):
            if now >= promise.until:
                del self._promises[worker]

    def _model(self, name: ModelId, index: ModelIndex | None, waiting: int, now: float) -> ModelFigures:
        wanted = self._models.get(name) or Wanted()
        jobs, served = wanted.jobs.per_s(now), wanted.served.per_s(now)
        each = wanted.work.per_s(now) / jobs if jobs else 0.0
        wanted_tps = wanted.work.per_s(now) + wanted.unmet.per_s(now) + waiting * each / DRAIN_S
        coming = sum(promise.work_tps for promise in self._promises.values() if promise.model == name)
        offered, tier = (index.work_tps if index else 0.0) + coming, self.tier_of(name)
        lack = max(0.0, wanted_tps - offered)
        lacks = wanted.lasting.seen(lack, wanted_tps, offered > 0, now) if name in self._models else False
        return ModelFigures(
            model=name,
            tier=tier,
            wanted_tps=wanted_tps,
            unmet_tps=wanted.unmet.per_s(now),
            offered_tps=offered,
            coming_tps=coming,
            lack_tps=lack if lacks else 0.0,
            worth=WORTH[tier],
            waiting=waiting,
            workers=index.usable if index else 0,
            come=0.0,
            go=max(LEAST_GO, min(1.0, (offered - wanted_tps) / offered)) if offered else 0.0,
            refused_per_min=60 * wanted.refused.per_s(now),
            wait_s=wanted.waited.per_s(now) / served if served else 0.0,
        )

    def _asking(self, one: ModelFigures, value: float, workers: int) -> ModelFigures:
        """With the part of the others that is asked to come."""
        if not one.lack_tps:
            return one
        others = value - one.worth * one.offered_tps
        come = _come(self._models[one.model].lasting, one.lack_tps * one.worth, others, workers - one.workers)
        return replace(one, come=come)

    def _tier(self, tier: Tier, models: list[ModelFigures], value: float, workers: int, now: float) -> TierFigures:
        own = [one for one in models if one.tier == tier]
        unmet = self._tiers[tier].unmet.per_s(now)
        spare = sum(max(0.0, one.offered_tps - one.wanted_tps) for one in own)
        lack, lasting = max(0.0, unmet - spare), self._tiers[tier].lasting
        lack = lack if lasting.seen(lack, unmet, spare > 0, now) else 0.0
        others = value - sum(one.worth * one.offered_tps for one in own)
        count = workers - sum(one.workers for one in own)
        come = _come(lasting, lack * WORTH[tier], others, count) if lack else 0.0
        return TierFigures(tier=tier, unmet_tps=unmet, spare_tps=spare, lack_tps=lack, worth=WORTH[tier], come=come)


def _come(lasting: Lasting, lack: float, others: float, workers: int) -> float:
    """The part of the others whose work is worth as much as what lacks, one of them at least; more each time nobody came.

    A machine's work counts about the same whatever it serves: a larger model is slower, and worth more.
    """
    if workers <= 0 or others <= 0:
        return 1.0
    come = min(1.0, max(lack / others, 1 / workers) * lasting.urge)
    lasting.urge = min(2 * lasting.urge, float(workers))
    return come
