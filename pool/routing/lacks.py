"""When workers are told what the pool lacks: in rounds, while something does, and once more when nothing does any more."""

from collections.abc import Iterator, Mapping

from iamine.ids import ModelId, WorkerId
from iamine.wire.messages import MAX_MODELS, ModelDemand, TierDemand
from iamine.wire.messages import Demand as DemandTold
from pool.routing.demand import Demand, Figures
from pool.routing.effects import Lack
from pool.routing.fleet import Fleet

LOOK_EVERY_S = 5.0
ROUND_TICKS = 20  # everybody is told within so many ticks: 5 s at 4 ticks a second
LEAST_A_TICK = 50


class Lacks:
    """Looks at the demand, and tells a few workers each tick. `figures` are the last ones."""

    def __init__(self, demand: Demand) -> None:
        self._demand = demand
        self.figures = Figures()
        self._looked_at: float | None = None
        self._serial = 0
        self._told = self._told_keepers = DemandTold(serial=0)
        self._keepers: frozenset[WorkerId] = frozenset()
        self._round: Iterator[WorkerId] = iter(())
        self._a_tick = LEAST_A_TICK

    def news(self, fleet: Fleet, waiting: Mapping[ModelId, int], now: float) -> list[Lack]:
        """What the next few workers are to be told."""
        if self._looked_at is None or now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            self._look(fleet, waiting, now)
        found: list[Lack] = []
        while len(found) < self._a_tick and (worker := next(self._round, None)) is not None:
            if fleet.get(worker) is not None:
                found.append(Lack(worker=worker, told=self._told_keepers if worker in self._keepers else self._told))
        return found

    def _look(self, fleet: Fleet, waiting: Mapping[ModelId, int], now: float) -> None:
        before, self.figures = self.figures, self._demand.look(fleet.by_model, waiting, now)
        if not (before.lacks or self.figures.lacks):
            return
        self._serial += 1
        self._told, self._told_keepers = (message(self.figures, self._serial, stay=stay) for stay in (False, True))
        self._keepers = keepers(fleet, waiting)
        self._round = iter([state.worker for state in fleet])
        self._a_tick = max(LEAST_A_TICK, len(fleet) // ROUND_TICKS + 1)


def keepers(fleet: Fleet, waiting: Mapping[ModelId, int]) -> frozenset[WorkerId]:
    """Of each model that somebody waits for one worker that is to stay: so the last one does, and not all go at once."""
    found: set[WorkerId] = set()
    for model, count in waiting.items():
        index = fleet.index(model)
        usable = [place.worker for place in index.places.values() if place.work_tps] if index and count else []
        found |= {min(usable)} if usable else set()
    return frozenset(found)


def message(figures: Figures, serial: int, *, stay: bool) -> DemandTold:
    """The figures as workers are told them; of very many models those that lack most."""
    models = tuple(
        ModelDemand(
            model=one.model,
            tier=one.tier,
            wanted_tps=round(one.wanted_tps, 2),
            offered_tps=round(one.offered_tps, 2),
            lack_tps=round(one.lack_tps, 2),
            worth=one.worth,
            waiting=one.waiting,
            workers=one.workers,
            come=round(one.come, 4),
            go=round(one.go, 4),
        )
        for one in figures.models[:MAX_MODELS]
    )
    tiers = tuple(
        TierDemand(tier=one.tier, lack_tps=round(one.lack_tps, 2), worth=one.worth, come=round(one.come, 4))
        for one in figures.tiers
        if one.lack_tps
    )
    return DemandTold(serial=serial, models=models, tiers=tiers, stay=stay)
