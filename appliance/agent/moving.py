"""Whether to serve another model, by what the pool lacks. Pure: facts in, a move or a reason to stay out (ADR 0030).

A model's worth here is the work that it would add to what the pool gets done: worth x min(own work, what lacks). A move
must gain clearly over what leaving costs: worth x min(own work, what the others could not do). Measured speeds count
before expected ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance.agent import fit
from appliance.agent.verdict import Verdict
from iamine.ids import ModelId
from iamine.manifest import Model
from iamine.wire.messages import DEMAND_VERSION, Demand, ModelDemand, TierDemand
from iamine.work import capacity_tps

STAY_S = 180.0  # after a move, or an attempt at one
HORIZON_S = 600.0  # a move must pay within this: what loading and fetching take of it is lost
GAIN_SHARE = 1.15  # of what is left behind; and
LEAST_TPS = 1.0  # that lacks: a usual request in a quarter of an hour; less is not worth a load
EXPECTED_TRUST = 0.7  # of what was not measured here
READ_FACTOR = 5.0  # reading is expected to be so much faster than writing
LOAD_BYTES_PER_S, LOAD_S = 200e6, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A model that this machine could serve: its work in virtual tokens a second, and what it takes until it does.

    `at_hand`: its file is here; else it would be fetched first.
    """

    model: ModelId
    file_sha256: str
    tier: str
    work_tps: float
    measured: bool
    ready_s: float
    at_hand: bool = True

    @property
    def sure_tps(self) -> float:
        """What may be counted on."""
        return self.work_tps if self.measured else EXPECTED_TRUST * self.work_tps


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a decision is made from. `draw` is a random number in [0, 1), one for each message of the pool.

    `pinned` says why this worker never moves, "" when it may. `moved_at`: when it last moved or tried to, in monotonic seconds.
    """

    serving: Option | None
    others: Sequence[Option]
    demand: Demand
    draw: float
    pinned: str = ""
    moved_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Serve this from now on."""

    option: Option
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """Serve what is served."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Gain:
    option: Option
    value: float
    lack_tps: float
    waiting: int
    come: float


def plan(facts: Facts, now: float) -> Move | Stay:
    """Move, or stay, and why."""
    serving, demand = facts.serving, facts.demand
    if serving is None or demand.version != DEMAND_VERSION:
        return Stay(reason="")
    if not _lacks(demand):
        return Stay(reason=f"stays with {serving.model}: the pool lacks nothing now")
    if facts.pinned:
        return Stay(reason=f"stays with {serving.model}: {facts.pinned}")
    kept = _kept(serving, _of(demand, serving.model))
    gains = [gain for option in facts.others if (gain := _gain(option, demand)) is not None]
    best = max(gains, key=lambda gain: (gain.value, gain.option.model), default=None)
    if best is None:
        return Stay(reason=f"stays with {serving.model}: nothing that the pool lacks can be served here")
    return _weighed(facts, best, kept, now)


def _weighed(facts: Facts, best: _Gain, kept: float, now: float) -> Move | Stay:
    serving, option = facts.serving, best.option
    assert serving is not None, "plan has looked"
    stays = f"stays with {serving.model}: the pool lacks {option.model}, but"
    if facts.demand.stay:
        return Stay(reason=f"{stays} somebody waits for {serving.model} and counts on this worker")
    if best.value <= GAIN_SHARE * kept:
        return Stay(reason=f"{stays} {serving.model} is needed as much")
    if facts.moved_at is not None and now - facts.moved_at < STAY_S:
        return Stay(reason=f"{stays} it changed {now - facts.moved_at:.0f} s ago")
    own = _of(facts.demand, serving.model)
    if facts.draw >= best.come * (own.go if own is not None else 1.0):
        return Stay(reason=f"{stays} not all who could are asked at once")
    waits = f", {best.waiting} wait" if best.waiting else ""
    how = "measured" if option.measured else "expected"
    return Move(
        option=option,
        reason=f"{option.model}: the pool lacks {best.lack_tps:.0f} tokens/s of it{waits}; {how} here {option.work_tps:.0f}",
    )


def confirmed(move: Move, demand: Demand) -> bool:
    """Whether a move is still right when the last answer has ended: nobody counts on this worker, others were not faster.

    The pool counts what this worker has promised as offered already.
    """
    wanted = _of(demand, move.option.model)
    if demand.stay:
        return False
    if wanted is None or _tier_lack(demand, move.option.tier) is not None or not wanted.wanted_tps:
        return True
    return wanted.wanted_tps > wanted.offered_tps - move.option.work_tps


def _lacks(demand: Demand) -> bool:
    return any(one.lack_tps > 0 for one in demand.models) or any(one.lack_tps > 0 for one in demand.tiers)


def _of(demand: Demand, model: ModelId) -> ModelDemand | None:
    return next((one for one in demand.models if one.model == model), None)


def _tier_lack(demand: Demand, tier: str) -> TierDemand | None:
    return next((one for one in demand.tiers if one.tier == tier and one.lack_tps > 0), None)


def _kept(serving: Option, wanted: ModelDemand | None) -> float:
    """What the pool would lose: the work that this worker does and the others could not."""
    if wanted is None:
        return 0.0
    others_tps = max(0.0, wanted.offered_tps - serving.work_tps)
    return wanted.worth * min(serving.work_tps, max(0.0, wanted.wanted_tps - others_tps))


def _gain(option: Option, demand: Demand) -> _Gain | None:
    """What the pool would gain; None where that is nothing, or too little for the trouble."""
    wanted, tier = _of(demand, option.model), _tier_lack(demand, option.tier)
    lack_tps = (wanted.lack_tps if wanted else 0.0) + (tier.lack_tps if tier else 0.0)
    if lack_tps <= LEAST_TPS or option.ready_s >= HORIZON_S:
        return None
    worth = wanted.worth if wanted else tier.worth if tier else 1.0
    come = max(wanted.come if wanted and wanted.lack_tps > 0 else 0.0, tier.come if tier else 0.0)
    value = worth * min(option.sure_tps, lack_tps) * (1 - option.ready_s / HORIZON_S)
    return _Gain(option, value, lack_tps, wanted.waiting if wanted else 0, come)


# ---- what could be served here -----------------------------------------------------------------------------------------


def option(model: Model, room: fit.Budget, known: Mapping[str, Verdict], *, fetch_bytes_per_s: float = 0.0) -> Option | None:
    """The model as an option; None for what cannot be served here. `fetch_bytes_per_s` > 0: its file must come first."""
    verdict, found = known.get(model.file_sha256), fit.fit(model, room)
    if model.kind == "embedding" or model.tier is None or not found.fits or (verdict is not None and not verdict.good):
        return None
    ready_s = LOAD_S + model.total_bytes / LOAD_BYTES_PER_S
    if fetch_bytes_per_s:
        ready_s += model.total_bytes / fetch_bytes_per_s
    measured = verdict is not None and verdict.prefill_tps > 0 and verdict.decode_tps > 0
    if verdict is not None and measured:
        work = capacity_tps(prefill_tps=verdict.prefill_tps, decode_tps=verdict.decode_tps, slots=max(1, verdict.slots))
    elif found.speed_tps < fit.LEAST_TPS:
        return None
    else:
        work = capacity_tps(prefill_tps=READ_FACTOR * found.speed_tps, decode_tps=found.speed_tps, slots=found.slots)
    return Option(
        model=model.id,
        file_sha256=model.file_sha256,
        tier=model.tier,
        work_tps=work,
        measured=measured,
        ready_s=ready_s,
        at_hand=not fetch_bytes_per_s,
    )
