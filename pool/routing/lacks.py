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
Told = tuple[tuple[ModelDemand, ...], tuple[TierDemand, ...]]
GOLDEN = 0.6180339887498949  # its multiples leave no part out for long (Weyl)


class Lacks:
    """Looks at the demand, and tells a few workers each tick. `figures` are the last ones."""

    def __init__(self, demand: Demand) -> None:
        self._demand = demand
        self.figures = Figures()
        self._looked_at: float | None = None
        self._serial = 0
        self._told: Told = ((), ())
        self._keepers: frozenset[WorkerId] = frozenset()
        self._round: Iterator[tuple[int, WorkerId]] = iter(())
        self._among = 1
        self._a_tick = LEAST_A_TICK

    def news(self, fleet: Fleet, waiting: Mapping[ModelId, int], now: float) -> list[Lack]:
        """What the next few workers are to be told."""
        if self._looked_at is None or now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            self._look(fleet, waiting, now)
        found: list[Lack] = []
        while len(found) < self._a_tick and (following := next(self._round, None)) is not None:
            number, worker = following
            if fleet.get(worker) is not None:
                found.append(Lack(worker=worker, told=self._message(number, worker)))
        return found

    def _message(self, number: int, worker: WorkerId) -> DemandTold:
        models, tiers = self._told
        stay, place = worker in self._keepers, turn(number, self._among, self._serial)
        return DemandTold(serial=self._serial, models=models, tiers=tiers, stay=stay, turn=place)

    def _look(self, fleet: Fleet, waiting: Mapping[ModelId, int], now: float) -> None:
        before, self.figures = self.figures, self._demand.look(fleet.by_model, waiting, now)
        if not (before.lacks or self.figures.lacks):
            return
        self._serial += 1
        self._told = told(self.figures)
        self._keepers = keepers(fleet, waiting)
        workers = [state.worker for state in fleet]
        self._round, self._among = iter(list(enumerate(workers))), max(1, len(workers))
        self._a_tick = max(LEAST_A_TICK, len(fleet) // ROUND_TICKS + 1)


def turn(number: int, among: int, serial: int) -> float:
    """A worker's place in [0, 1): all lie evenly, so that just the asked part is below any `come`; each time it is another."""
    return round((number / among + serial * GOLDEN) % 1.0, 6) % 1.0


def keepers(fleet: Fleet, waiting: Mapping[ModelId, int]) -> frozenset[WorkerId]:
    """Of each model that somebody waits for one worker that is to stay: so the last one does, and not all go at once."""
    found: set[WorkerId] = set()
    for model, count in waiting.items():
        index = fleet.index(model)
        usable = [place.worker for place in index.places.values() if place.work_tps] if index and count else []
        found |= {min(usable)} if usable else set()
    return frozenset(found)


def told(figures: Figures) -> Told:
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
    return models, tiers
