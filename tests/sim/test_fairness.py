"""Fairness, proven on a virtual clock: between workers for an hour of mixed load, and between a flooder and the rest.

IAMINE_FAIR_SEEDS (1 by default) is how many hours are played.
"""

import os

from fair import PATIENCE, FairWorld

from iamine.ids import AccountId, WorkerId
from pool.routing.deficit import LIMIT_NS
from pool.routing.effects import Effect
from pool.routing.scheduler import Scheduler

HOUR_S = 3600.0
SEEDS = range(int(os.environ.get("IAMINE_FAIR_SEEDS", "1")))


def busy_hour(seed: int, *, workers: int = 50, seconds: float = HOUR_S, scheduler: Scheduler | None = None) -> FairWorld:
    """Unequal workers come and go; the load swings between a third of what they can do and more than that."""
    world = FairWorld(seed, scheduler)
    draw = world.random
    for number in range(workers):
        decode_tps = 2.0 ** draw.uniform(2.5, 6)
        prefill_tps = decode_tps * draw.uniform(5, 20)
        name = world.add(f"w{number}", decode_tps=decode_tps, prefill_tps=prefill_tps, slots=draw.randint(1, 4))
        world.come_and_go(name, stay_s=1500.0, away_s=300.0)

    def ask() -> None:
        level = (0.35, 0.7, 1.1, 0.5)[int(world.now // 300) % 4]
        able = sum(one.offer.decode_tps * one.offer.slots**0.5 for one in world.machines.values() if one.present)
        world.ask(f"a{draw.randrange(8)}", round(2.0 ** draw.uniform(5, 11)), round(2.0 ** draw.uniform(7, 10)))
        world.later(draw.expovariate(max(able, 1.0) * level / 430), ask)

    world.later(60.0, ask)
    world.run(seconds)
    return world


def test_every_worker_gets_its_share_of_an_hour() -> None:
    for seed in SEEDS:
        world = busy_hour(seed)
        index, workers = world.jain()
        passed_over_s = max(one.passed_over_s for one in world.machines.values())
        print(
            f"seed {seed}: Jain {index:.4f} over {workers} workers, {world.done} answers, {world.moved} takeovers,"
            f" {world.lost} lost, {world.events} events; at most {passed_over_s:.0f} s passed over before the first job"
        )
        assert workers >= 40 and world.done > 1000 and world.moved > 20, f"seed {seed}: too little happened"
        assert index >= 0.99, f"seed {seed}: Jain {index:.4f}"
        assert passed_over_s < 180, f"seed {seed}: a newcomer was passed over for {passed_over_s:.0f} s of its capacity"


class Forgetful(Scheduler):
    """A mutant: nobody is owed anything."""

    def on_tick(self, now: float) -> list[Effect]:
        self.fleet.age(0.0)
        return super().on_tick(now)


def test_without_deficits_the_shares_are_not_fair() -> None:
    fair, unfair = (
        busy_hour(3, workers=12, seconds=1500.0, scheduler=one).jain()[0] for one in (Scheduler(PATIENCE), Forgetful(PATIENCE))
    )
    assert unfair < 0.98 < 0.99 <= fair, f"{unfair} {fair}"


def test_a_newcomer_is_not_starved_by_old_deficits() -> None:
    """All the old ones come back with the most that anybody can be owed."""
    world = FairWorld(5)
    for number in range(20):
        world.join(world.add(f"old{number}", decode_tps=20.0, prefill_tps=200.0, slots=1))
        world.scheduler.fleet.restore(WorkerId(f"old{number}"), {"f": LIMIT_NS})
    world.run(10.0)
    newcomer = world.add("new", decode_tps=20.0, prefill_tps=200.0, slots=1)
    world.join(newcomer)

    def ask() -> None:
        world.ask("a", 100, 100)
        world.later(world.random.expovariate(1.5), ask)

    ask()
    world.run(600.0)
    after_s = world.machines[newcomer].first_job_after_s
    assert after_s and after_s[0] < 300.0, after_s


def test_a_flood_takes_nothing_from_who_asks_for_less_and_two_floods_share_alike() -> None:
    world = FairWorld(6)
    for number in range(4):
        world.join(world.add(f"w{number}", decode_tps=20.0, prefill_tps=400.0, slots=2))

    def every(seconds: float, account: str, prompt: int, answer: int) -> None:
        world.ask(account, prompt, answer)
        world.later(seconds, lambda: every(seconds, account, prompt, answer))

    every(0.5, "long", 50, 400)
    every(0.2, "short", 50, 40)
    every(10.0, "seldom", 100, 100)
    world.run(400.0)
    long, short, seldom = (world.service[AccountId(name)] for name in ("long", "short", "seldom"))
    assert abs(long - short) / (long + short) < 0.05, f"{long} {short}"
    assert seldom > 0.95 * 300 * 400 / 10
    waits = sorted(world.waited[AccountId("seldom")])
    assert waits[len(waits) // 2] < 10.0 < sorted(world.waited[AccountId("long")])[-1], waits


def test_an_account_that_comes_back_does_not_make_up_for_its_absence() -> None:
    world = FairWorld(7)
    world.join(world.add("w", decode_tps=40.0, prefill_tps=400.0, slots=1))

    def flood(account: str) -> None:
        world.ask(account, 20, 50)
        world.later(0.5, lambda: flood(account))

    flood("here")
    world.run(300.0)
    before = world.service[AccountId("here")]
    flood("back")
    world.run(300.0)
    gained = world.service[AccountId("here")] - before
    assert abs(gained - world.service[AccountId("back")]) < 0.1 * gained
