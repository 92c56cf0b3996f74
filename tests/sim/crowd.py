"""A seeded crowd of agents under shifting demand: the pool's own scheduler, the agents' own plan, and a clock of events.

Jobs are served at the speed of whoever has them, in one piece. An agent that moves drains, loads, and offers the other model.
"""

import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import fmean

from appliance.agent.moving import Facts, Move, Option, confirmed, plan
from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.manifest import Tier
from iamine.wire.messages import CompletionWork, ModelOffer, Sampling
from iamine.wire.messages import Demand as DemandTold
from iamine.work import capacity_tps
from pool.routing.demand import Demand
from pool.routing.effects import Effect, Lack, Refuse, Send
from pool.routing.patience import Patience
from pool.routing.scheduler import Scheduler
from pool.routing.types import JobOrder

PATIENCE = Patience(busy_silence_s=1e9, idle_silence_s=1e9, stall_s=1e9, late_tick_s=1e9)
TICK_S, LOAD_S, SLOTS, TOKENS = 0.25, 12.0, 2, 256
SPEEDS: Mapping[str, tuple[Tier, float]] = {"a": ("micro", 60.0), "b": ("small", 20.0), "c": ("medium", 8.0)}
DEADLINE_S = 300.0


def option(model: str, speed: float) -> Option:
    """What a machine of this speed makes of the model."""
    tier, tps = SPEEDS[model]
    work = capacity_tps(prefill_tps=5 * tps * speed, decode_tps=tps * speed, slots=SLOTS)
    return Option(model=ModelId(model), file_sha256=model, tier=tier, work_tps=work, measured=True, ready_s=LOAD_S)


@dataclass
class Agent:
    """A machine: what it could serve, what it does, and when it moved from where to where."""

    speed: float
    options: dict[str, Option]
    serving: str
    jobs: set[JobId] = field(default_factory=set)
    moving: Move | None = None
    demand: DemandTold | None = None
    moved_at: float | None = None
    moves: list[tuple[float, str, str]] = field(default_factory=list)

    def offer(self, model: str) -> ModelOffer:
        tps = SPEEDS[model][1] * self.speed
        return ModelOffer(
            model=ModelId(model), file_sha256=model, slots=SLOTS, context_tokens=4096, vocabulary_tokens=9,
            prefill_tps=5 * tps, decode_tps=tps,
        )  # fmt: skip


class Crowd:
    """`agents` follow the demand if `follow`; `rates` gives each model's jobs a second at a time."""

    def __init__(self, seed: int, agents: int, *, follow: bool, spread: bool = True) -> None:
        self.random, self.now, self.follow = Random(seed), 0.0, follow
        self.scheduler = Scheduler(PATIENCE, demand=Demand(lambda model: SPEEDS[model][0]))
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.waits: list[tuple[float, str, float]] = []  # when asked, of what, seconds to a worker
        self.asked: dict[JobId, tuple[float, str]] = {}
        self.agents: dict[WorkerId, Agent] = {}
        for number in range(agents):
            self._join(WorkerId(f"w{number:04d}"), spread)

    def _join(self, worker: WorkerId, spread: bool) -> None:
        speed = self.random.uniform(0.5, 2.0)
        here = ["a", *self.random.choice([["b"], ["c"], ["b", "c"]])]
        agent = Agent(speed, {model: option(model, speed) for model in here}, self.random.choice(here) if spread else "a")
        self.agents[worker] = agent
        self.take(self.scheduler.on_worker(worker, (agent.offer(agent.serving),), self.now))

    # ---- time -------------------------------------------------------------------------------------------------------------

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now + seconds, next(self._numbers), act))

    def run(self, seconds: float, rates: Mapping[str, float]) -> None:
        """So long at these rates."""
        end = self.now + seconds
        for model, rate in rates.items():
            self._arrivals(model, rate, end)
        self.later(0.0, lambda: self._tick(end))
        while self._agenda and self._agenda[0][0] <= end:
            self.now, _, act = heapq.heappop(self._agenda)
            act()
        self.now = end

    def _tick(self, end: float) -> None:
        self.take(self.scheduler.on_tick(self.now))
        if self.now + TICK_S < end:
            self.later(TICK_S, lambda: self._tick(end))

    def _arrivals(self, model: str, rate: float, end: float) -> None:
        at = self.now
        while rate and (at := at + self.random.expovariate(rate)) < end:
            self.later(at - self.now, lambda: self.ask(model))

    # ---- jobs -------------------------------------------------------------------------------------------------------------

    def ask(self, model: str) -> None:
        job = JobId(f"j{next(self._numbers)}")
        order = JobOrder(
            job=job, account=AccountId("x"), model=ModelId(model), work=CompletionWork(prompt="x"),
            sampling=Sampling(max_tokens=TOKENS), wall_time_s=0.0, deadline_s=self.now + DEADLINE_S,
            estimated_prompt_tokens=TOKENS,
        )  # fmt: skip
        self.asked[job] = self.now, model
        self.take(self.scheduler.on_job(order, self.now))

    def take(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self._sent(effect)
                case Refuse(job=job):
                    at, model = self.asked.pop(job)
                    self.waits.append((at, model, self.now - at))
                case Lack(worker=worker, told=told):
                    self._told(worker, told)
                case _:
                    pass

    def _sent(self, send: Send) -> None:
        agent = self.agents[send.worker]
        assert agent.moving is None, "a job for a worker that drains"
        at, model = self.asked.pop(send.job)
        assert model == agent.serving
        self.waits.append((at, model, self.now - at))
        agent.jobs.add(send.job)
        tps = SPEEDS[model][1] * agent.speed / len(agent.jobs) ** 0.5
        self.later(TOKENS / (5 * tps) + TOKENS / tps, lambda: self._done(send, agent))

    def _done(self, send: Send, agent: Agent) -> None:
        now, scheduler = self.now, self.scheduler
        scheduler.on_started(send.worker, send.job, send.epoch, now, TOKENS, 0)
        scheduler.on_stepped(send.worker, now)
        scheduler.on_tokens(send.worker, send.job, send.epoch, 0, TOKENS, now)
        agent.jobs.discard(send.job)
        _, effects = scheduler.on_finished(send.worker, send.job, send.epoch, TOKENS, now)
        self.take(effects)
        if agent.moving is not None and not agent.jobs:
            self._switch(send.worker, agent)

    # ---- moves ------------------------------------------------------------------------------------------------------------

    def _told(self, worker: WorkerId, told: DemandTold) -> None:
        agent = self.agents[worker]
        agent.demand = told
        if not self.follow or agent.moving is not None:
            return
        facts = Facts(
            serving=agent.options[agent.serving],
            others=[each for name, each in agent.options.items() if name != agent.serving],
            demand=told,
            draw=told.turn or 0.0,
            moved_at=agent.moved_at,
        )
        decision = plan(facts, self.now)
        if isinstance(decision, Move):
            agent.moving = decision
            self.scheduler.on_moving(worker, decision.option.model, decision.option.work_tps, self.now)
            self.take(self.scheduler.on_heartbeat(worker, False, self.now))
            if not agent.jobs:
                self._switch(worker, agent)

    def _switch(self, worker: WorkerId, agent: Agent) -> None:
        """The last answer has ended."""
        move = agent.moving
        assert move is not None and agent.demand is not None
        if not confirmed(move, agent.demand):
            self._settle(worker, agent)
            return
        agent.moves.append((self.now, agent.serving, str(move.option.model)))
        self.take(self.scheduler.on_offers(worker, (), self.now))
        self.later(LOAD_S, lambda: self._loaded(worker, agent, str(move.option.model)))

    def _loaded(self, worker: WorkerId, agent: Agent, model: str) -> None:
        agent.serving, agent.moved_at = model, self.now
        self.take(self.scheduler.on_offers(worker, (agent.offer(model),), self.now))
        self._settle(worker, agent)

    def _settle(self, worker: WorkerId, agent: Agent) -> None:
        agent.moving = None
        self.scheduler.on_moving(worker, None, 0.0, self.now)
        self.take(self.scheduler.on_heartbeat(worker, True, self.now))

    # ---- what came of it ----------------------------------------------------------------------------------------------------

    def moves(self, since: float = 0.0) -> int:
        return sum(at >= since for agent in self.agents.values() for at, _, _ in agent.moves)

    def mean_wait_s(self, since: float = 0.0) -> float:
        """Of all that was asked since, with those that still wait."""
        waits = [wait for at, _, wait in self.waits if at >= since]
        waits += [self.now - at for at, _ in self.asked.values() if at >= since]
        return fmean(waits) if waits else 0.0

    def serving(self, model: str) -> int:
        return sum(agent.serving == model for agent in self.agents.values())
