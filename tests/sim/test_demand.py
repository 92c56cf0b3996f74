"""A crowd of agents follows shifting demand: soon, seldom, never all at once, and waiting falls."""

import itertools

import pytest
from crowd import Crowd

from appliance.agent.moving import STAY_S

CALM = {"a": 4.0}
WAVE_B = {"a": 1.0, "b": 2.0}
WAVE_C = {"a": 1.0, "c": 0.8}
AGENTS = 60


def followed(seed: int, *, follow: bool) -> Crowd:
    """Calm, then a wave of one model, then of another."""
    crowd = Crowd(seed, AGENTS, follow=follow)
    for seconds, rates in ((300.0, CALM), (600.0, WAVE_B), (600.0, WAVE_C)):
        crowd.run(seconds, rates)
    return crowd


@pytest.mark.parametrize("seed", range(2))
def test_waiting_falls_and_few_move(seed: int) -> None:
    with_plan, without = followed(seed, follow=True), followed(seed, follow=False)
    assert with_plan.mean_wait_s() < 0.35 * without.mean_wait_s(), "where nobody moves, the waves wait"
    assert 0 < with_plan.moves() <= AGENTS // 2
    assert max(len(agent.moves) for agent in with_plan.agents.values()) <= 2, "a move for a wave, not more"


@pytest.mark.parametrize("seed", range(2))
def test_a_wave_is_followed_within_minutes(seed: int) -> None:
    crowd = Crowd(seed, AGENTS, follow=True, spread=False)
    crowd.run(120.0, CALM)
    crowd.run(240.0, WAVE_B)
    assert crowd.serving("b") > 0
    begun = crowd.now
    crowd.run(300.0, WAVE_B)
    assert crowd.mean_wait_s(begun) < 4.0, "four minutes after its beginning the wait is a fraction of an answer's time"


def test_a_thousand_idle_agents_do_not_jump_at_one_signal() -> None:
    crowd = Crowd(1, 1000, follow=True, spread=False)
    crowd.run(300.0, {"b": 2.0})
    needed = 2.0 * 768 / (sum(one.options["b"].work_tps for one in crowd.agents.values() if "b" in one.options) / 670)
    assert needed <= crowd.serving("b") <= 3 * needed
    assert crowd.moves() == crowd.serving("b")
    crowd.run(300.0, {"b": 2.0})
    assert crowd.moves(300.0) <= 0.2 * needed, "those who came suffice"


def test_demand_that_stays_the_same_moves_nobody_for_long() -> None:
    crowd = Crowd(3, AGENTS, follow=True, spread=False)
    steady = {"a": 3.0, "b": 1.5, "c": 0.5}
    crowd.run(600.0, steady)
    settled = crowd.moves()
    crowd.run(600.0, steady)
    assert crowd.moves(600.0) <= max(2, settled // 10), "no oscillation"


@pytest.mark.parametrize("every_s", [60.0, 300.0])
def test_demand_that_flips_wears_nobody_out(every_s: float) -> None:
    crowd, static = (Crowd(2, AGENTS, follow=follow) for follow in (True, False))
    for number in range(int(1200 / every_s)):
        rates = {"a": 0.5, "b": 2.0} if number % 2 else {"a": 0.5, "c": 0.8}
        crowd.run(every_s, rates)
        static.run(every_s, rates)
    assert crowd.moves() <= AGENTS // 2
    assert crowd.mean_wait_s() < 0.6 * static.mean_wait_s()
    for agent in crowd.agents.values():
        times = [at for at, _, _ in agent.moves]
        assert all(later - earlier >= STAY_S for earlier, later in itertools.pairwise(times))


def test_where_all_are_needed_nobody_runs_in_circles() -> None:
    crowd = Crowd(3, AGENTS, follow=True)
    crowd.run(400.0, {"a": 6.0, "b": 4.0, "c": 2.0})
    assert crowd.moves() <= AGENTS // 3


def test_the_last_server_of_what_is_waited_for_stays() -> None:
    crowd = Crowd(5, 12, follow=True, spread=False)
    crowd.run(60.0, {"a": 0.5})
    for _ in range(8):
        crowd.run(40.0, {"a": 3.0, "b": 1.0, "c": 0.5})
        assert crowd.serving("a") + sum(agent.moving is not None for agent in crowd.agents.values()) >= 1
    assert crowd.serving("b") and crowd.serving("c")
