"""Whether to move: only for a gain, not too often, not all at once, and never away from who is counted on."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from fakes.machines import made

from appliance.agent import fit
from appliance.agent.moving import (
    EXPECTED_TRUST,
    GAIN_SHARE,
    HORIZON_S,
    LEAST_TPS,
    STAY_S,
    Facts,
    Move,
    Option,
    Stay,
    confirmed,
    option,
    plan,
)
from appliance.agent.verdict import Verdict
from iamine import manifest
from iamine.ids import ModelId
from iamine.wire.messages import Demand, ModelDemand, TierDemand

HERE = Option(model=ModelId("here"), file_sha256="h", tier="micro", work_tps=400.0, measured=True, ready_s=5.0)
THERE = Option(model=ModelId("there"), file_sha256="t", tier="small", work_tps=100.0, measured=True, ready_s=6.0)


def wanted(model: str, **fields: Any) -> ModelDemand:
    return msgspec.structs.replace(ModelDemand(model=ModelId(model), workers=1), **fields)


LACK = wanted("there", tier="small", wanted_tps=80.0, lack_tps=80.0, worth=3.0, waiting=4, workers=0, come=1.0)
IDLE = wanted("here", tier="micro", offered_tps=800.0, workers=2, go=1.0)
FACTS = Facts(serving=HERE, others=(THERE,), demand=Demand(serial=1, models=(LACK, IDLE)), draw=0.0)


def with_demand(*models: ModelDemand, tiers: tuple[TierDemand, ...] = (), stay: bool = False) -> Facts:
    return replace(FACTS, demand=Demand(serial=1, models=models, tiers=tiers, stay=stay))


def said(facts: Facts, now: float = 0.0) -> str:
    decision = plan(facts, now)
    assert isinstance(decision, Stay), decision
    return decision.reason


def test_an_idle_worker_goes_where_it_is_needed_and_says_why() -> None:
    decision = plan(FACTS, 0.0)
    assert isinstance(decision, Move) and decision.option == THERE
    assert decision.reason == "there: the pool lacks 80 tokens/s of it, 4 wait; measured here 100"


def test_nothing_lacks_nothing_moves() -> None:
    assert said(with_demand(IDLE)) == "stays with here: the pool lacks nothing now"


def test_what_the_owner_named_stays() -> None:
    assert said(replace(FACTS, pinned="its owner named it")) == "stays with here: its owner named it"


def test_a_message_of_a_later_meaning_is_passed_over() -> None:
    later = msgspec.structs.replace(FACTS.demand, version=2)
    assert said(replace(FACTS, demand=later)) == "" == said(replace(FACTS, serving=None))


def test_who_is_counted_on_stays() -> None:
    assert "counts on this worker" in said(with_demand(LACK, IDLE, stay=True))


def test_what_is_needed_as_much_here_is_not_left() -> None:
    busy = wanted("here", wanted_tps=800.0, offered_tps=800.0, workers=2, worth=1.0, go=0.1)
    assert "here is needed as much" in said(with_demand(LACK, busy))
    spare = msgspec.structs.replace(busy, wanted_tps=400.0, go=1.0)
    assert isinstance(plan(with_demand(LACK, spare), 0.0), Move), "the other one can do all of it"


def test_the_gain_must_be_clear() -> None:
    value = 3.0 * 80.0 * (1 - THERE.ready_s / HORIZON_S)
    busy = wanted("here", wanted_tps=value / GAIN_SHARE, offered_tps=400.0, worth=1.0, go=1.0)
    assert "needed as much" in said(with_demand(LACK, busy))
    less = msgspec.structs.replace(busy, wanted_tps=0.99 * value / GAIN_SHARE)
    assert isinstance(plan(with_demand(LACK, less), 0.0), Move)


def test_after_a_move_it_stays_for_a_while() -> None:
    facts = replace(FACTS, moved_at=100.0)
    assert "it changed 10 s ago" in said(facts, 110.0)
    assert isinstance(plan(facts, 100.0 + STAY_S), Move)


def test_not_all_who_could_go_at_once() -> None:
    few = msgspec.structs.replace(LACK, come=0.5)
    spare = msgspec.structs.replace(IDLE, go=0.5)
    assert isinstance(plan(replace(with_demand(few, spare), draw=0.24), 0.0), Move)
    assert "not all who could are asked at once" in said(replace(with_demand(few, spare), draw=0.25))
    assert isinstance(plan(replace(with_demand(few), draw=0.49), 0.0), Move), "nobody says how many may go"


def test_a_tier_that_lacks_is_served_by_a_model_that_nobody_named() -> None:
    tier = TierDemand(tier="small", lack_tps=50.0, worth=3.0, come=1.0)
    decision = plan(with_demand(IDLE, tiers=(tier, msgspec.structs.replace(tier, tier="large"))), 0.0)
    assert isinstance(decision, Move) and decision.option == THERE and "lacks 50 tokens/s" in decision.reason
    assert "nothing that the pool lacks" in said(with_demand(IDLE, tiers=(msgspec.structs.replace(tier, tier="large"),)))


def test_measured_work_counts_before_expected() -> None:
    measured = replace(THERE, model=ModelId("measured"), work_tps=75.0)
    expected = replace(THERE, model=ModelId("expected"), work_tps=100.0, measured=False)
    both = tuple(msgspec.structs.replace(LACK, model=each.model, lack_tps=500.0) for each in (measured, expected))
    decision = plan(replace(with_demand(*both, IDLE), others=(expected, measured)), 0.0)
    assert isinstance(decision, Move) and decision.option is measured
    assert expected.sure_tps == EXPECTED_TRUST * 100
    decision = plan(replace(with_demand(*both, IDLE), others=(expected,)), 0.0)
    assert isinstance(decision, Move) and "expected here 100" in decision.reason


@pytest.mark.parametrize(
    "other",
    [replace(THERE, ready_s=HORIZON_S), replace(THERE, model=ModelId("x"))],
)
def test_what_comes_too_late_is_too_little_or_lacks_nowhere_is_no_gain(other: Option) -> None:
    assert "nothing that the pool lacks can be served here" in said(replace(FACTS, others=(other,)))


def test_a_trickle_moves_nobody() -> None:
    trickle = msgspec.structs.replace(LACK, lack_tps=LEAST_TPS)
    assert "nothing that the pool lacks can be served here" in said(with_demand(trickle, IDLE))


def test_a_move_is_looked_at_again_when_the_last_answer_has_ended() -> None:
    move = Move(option=THERE, reason="r")
    mine = msgspec.structs.replace(LACK, offered_tps=100.0, lack_tps=0.0)
    assert confirmed(move, Demand(serial=2, models=(mine,))), "what the pool counts is this worker's own promise"
    taken = msgspec.structs.replace(mine, offered_tps=200.0)
    assert not confirmed(move, Demand(serial=2, models=(taken,))), "somebody was faster"
    assert not confirmed(move, Demand(serial=2, models=(mine,), stay=True))
    assert confirmed(move, Demand(serial=2))
    tier = TierDemand(tier="small", lack_tps=1.0)
    assert confirmed(move, Demand(serial=2, models=(taken,), tiers=(tier,)))


def verdict(model: manifest.Model, **fields: Any) -> Verdict:
    known = {"slots": 4, "prefill_tps": 256.0, "decode_tps": 256.0, "expected_tps": 100.0}
    return Verdict(model=model.id, file_sha256=model.file_sha256, at=0.0, **(known | fields))


def test_an_option_is_what_fits_and_nothing_speaks_against() -> None:
    mote = manifest.load().model[0]
    room = fit.budget(made(4 * 10**9))
    expected = option(mote, room, {})
    assert expected is not None and not expected.measured and expected.at_hand and expected.tier == "micro"
    measured = option(mote, room, {mote.file_sha256: verdict(mote)})
    assert measured is not None and measured.measured and measured.work_tps == pytest.approx(2 * 384.0)
    assert option(mote, room, {mote.file_sha256: verdict(mote, failure="no")}) is None
    assert option(mote, room, {mote.file_sha256: verdict(mote, prefill_tps=0.0)}) is not None
    assert option(mote, replace(room, bytes=0), {}) is None
    assert option(mote, replace(room, bytes_per_s=1e6), {}) is None, "too slow for a chat"
    assert option(msgspec.structs.replace(mote, kind="embedding", tier=None), room, {}) is None
    fetched = option(mote, room, {}, fetch_bytes_per_s=1e4)
    assert fetched is not None and not fetched.at_hand and fetched.ready_s > expected.ready_s + 100
