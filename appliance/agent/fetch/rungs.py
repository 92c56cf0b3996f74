"""What to fetch, in which order: the best model for this machine, and before it a smaller one when it takes too long. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from appliance.agent.fit import LEAST_TPS, Budget, Fit, best, explained, fit, gigabytes
from iamine.manifest import Model

PATIENCE_S = 600.0  # a machine that has nothing better serves a smaller model after this long at the latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A model to fetch and why."""

    model: Model
    reason: str


def rungs(room: Budget, known: Sequence[Model], at_hand: Collection[str], *, bytes_per_s: float) -> tuple[Rung, ...]:
    """The models to fetch in order; none when the best one is here. `at_hand` are ids, `known` what can be had."""
    chosen = best(room, [model for model in known if model.kind == "chat"])
    if chosen.fit is None or chosen.model is None or chosen.model.id in at_hand:
        return ()
    last = Rung(model=chosen.model, reason=chosen.reason)
    took_s = chosen.model.total_bytes / bytes_per_s  # 0.0 on a line of infinite speed
    if took_s <= PATIENCE_S:
        return (last,)
    first = _first(room, chosen.fit, known, at_hand, bytes_per_s)
    if first is None:
        return (last,)
    wait = f"{chosen.model.id} takes about {took_s / 60:.0f} minutes ({gigabytes(chosen.model.total_bytes)})"
    reason = f"serves in the meantime: {wait}; {explained(first, [fit(model, room) for model in known])}"
    return Rung(model=first.model, reason=reason), last


def _first(room: Budget, chosen: Fit, known: Sequence[Model], at_hand: Collection[str], bytes_per_s: float) -> Fit | None:
    """The largest that is fetched in time, fits and is fast enough, if it is larger than what is here."""
    looked = [fit(model, room) for model in known if model.kind == "chat" and model.parameters < chosen.model.parameters]
    quick = [each for each in looked if each.fits and each.speed_tps >= LEAST_TPS]
    here = max((each.model.parameters for each in quick if each.model.id in at_hand), default=0)
    able = [
        each
        for each in quick
        if each.model.parameters > here and each.model.total_bytes / bytes_per_s <= PATIENCE_S
    ]  # fmt: skip
    return max(able, key=lambda each: (each.model.parameters, each.model.id), default=None)
