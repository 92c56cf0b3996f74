"""An hour of a pool in a few seconds: the real scheduler, workers of all speeds that come and go, users that ask at all
sizes. What each worker was due is counted here anew from the definition in stream.md, not asked of the scheduler."""

import heapq
import itertools
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.wire.messages import CompletionWork, ModelOffer, Sampling
from iamine.work import USUAL_OUTPUT_TOKENS, cost
from pool.routing.choose import band_s
from pool.routing.effects import COUNTS, CancelAt, Effect, Evict, Refuse, Send
from pool.routing.patience import Patience
from pool.routing.scheduler import Scheduler
from pool.routing.speeds import capacity, expected_wait_s, pace
from pool.routing.types import JobOrder

M = ModelId("m")
STEP_S, IDLE_BEAT_S, TICK_S = 5.0, 30.0, 0.9
PATIENCE = Patience(busy_silence_s=12.0, stall_s=15.0)  # long steps, so that an hour is short


@dataclass
class Machine:
    """A worker: `real` is how much faster it is than it says."""

    offer: ModelOffer
    real: float
    present: bool = False
    joined_at: float = 0.0
    present_s: float = 0.0
    due: float = 0.0
    served: float = 0.0
    first_job_after_s: list[float] = field(default_factory=list)
    jobs: "dict[JobId, Run]" = field(default_factory=dict)
    jobs_since_join: int = 0
    passed_over_s: float = 0.0  # of its own capacity: what others got that a newcomer could have had before its first job


@dataclass
class Run:
    """A job at a machine: what it costs, and who could have had it."""

    job: JobId
    epoch: int
    unread: int
    shares: dict[WorkerId, float]
    cost: float = 0.0
    started: bool = False


@dataclass
class Asked:
    """A job: how long its answer will be, and how long it is by now."""

    order: JobOrder
    answer: int
    tokens: int = 0


class FairWorld:
    """Everything random comes from the seed. `check` is called after every event."""

    def __init__(self, seed: int, scheduler: Scheduler | None = None) -> None:
        self.seed, self.random = seed, random.Random(seed)
        self.now = 0.0
        self.scheduler = scheduler or Scheduler(PATIENCE)
        self.machines: dict[WorkerId, Machine] = {}
        self.asked: dict[JobId, Asked] = {}
        self.service: defaultdict[AccountId, float] = defaultdict(float)
        self.waited: defaultdict[AccountId, list[float]] = defaultdict(list)
        self.done = self.lost = self.moved = self.events = 0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    # ---- time -----------------------------------------------------------------------------------------------------------

    def later(self, after_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now + after_s, next(self._numbers), act))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        self.later(0.0, self._tick)
        while self._agenda and self._agenda[0][0] <= end:
            self.now, _, act = heapq.heappop(self._agenda)
            act()
            self.events += 1
            self.check()
        self.now = end

    def check(self) -> None:
        """No eligible worker is idle while a job queues."""
        if self.scheduler.queued:
            idle = [name for name, one in self.machines.items() if one.present and len(one.jobs) < one.offer.slots]
            assert not idle, f"seed {self.seed}: at {self.now:.1f} s {idle} idle while {self.scheduler.queued} jobs wait"

    def _tick(self) -> None:
        self.take(self.scheduler.on_tick(self.now))
        self.later(TICK_S, self._tick)

    # ---- workers --------------------------------------------------------------------------------------------------------

    def add(self, name: str, *, decode_tps: float, prefill_tps: float, slots: int) -> WorkerId:
        """A machine that is away at first."""
        offer = ModelOffer(
            model=M, file_sha256="f", slots=slots, context_tokens=1 << 20, vocabulary_tokens=9,
            decode_tps=decode_tps, prefill_tps=prefill_tps,
        )  # fmt: skip
        self.machines[WorkerId(name)] = Machine(offer=offer, real=self.random.uniform(0.9, 1.1))
        return WorkerId(name)

    def join(self, worker: WorkerId) -> None:
        machine = self.machines[worker]
        machine.present, machine.joined_at, machine.jobs_since_join = True, self.now, 0
        self.take(self.scheduler.on_worker(worker, (machine.offer,), self.now))
        self._beat(worker, machine.joined_at)

    def leave(self, worker: WorkerId) -> None:
        machine = self.machines[worker]
        machine.present = False
        machine.present_s += self.now - machine.joined_at
        for run in list(machine.jobs.values()):
            self._settle(machine, run)
        self.take(self.scheduler.on_worker_gone(worker, self.now))

    def come_and_go(self, worker: WorkerId, stay_s: float, away_s: float) -> None:
        """For ever, by chance."""

        def turn() -> None:
            machine = self.machines[worker]
            (self.leave if machine.present else self.join)(worker)
            self.later(self.random.expovariate(1 / (stay_s if machine.present else away_s)), turn)

        self.later(self.random.uniform(0, away_s), turn)

    def _beat(self, worker: WorkerId, joined_at: float) -> None:
        machine = self.machines[worker]
        if machine.present and machine.joined_at == joined_at:
            self.take(self.scheduler.on_heartbeat(worker, True, self.now))
            self.later(IDLE_BEAT_S, lambda: self._beat(worker, joined_at))

    # ---- jobs -----------------------------------------------------------------------------------------------------------

    def ask(self, account: str, prompt: int, answer: int) -> None:
        job = JobId(f"j{next(self._numbers)}")
        order = JobOrder(
            job=job, account=AccountId(account), model=M, work=CompletionWork(prompt="x"), sampling=Sampling(max_tokens=2048),
            wall_time_s=0.0, deadline_s=self.now + 1e9, estimated_prompt_tokens=prompt,
        )  # fmt: skip
        self.asked[job] = Asked(order=order, answer=answer)
        self.take(self.scheduler.on_job(order, self.now))

    def take(self, effects: list[Effect]) -> None:
        """Do what the scheduler says, in its order."""
        for effect in effects:
            match effect:
                case Send():
                    self._sent(effect)
                case CancelAt(worker=worker, job=job):
                    self._stop(worker, job)
                case Refuse(job=job, code=code):
                    assert code == "answer_lost", f"seed {self.seed}: {code}"
                    self.lost += 1
                    del self.asked[job]
                case Evict():
                    raise AssertionError(f"seed {self.seed}: {effect}")
                case _:
                    pass

    def _sent(self, send: Send) -> None:
        machine, asked = self.machines[send.worker], self.asked[send.job]
        unread = asked.order.estimated_prompt_tokens + asked.tokens
        run = Run(job=send.job, epoch=send.epoch, unread=unread, shares=self._shares(asked, unread))
        assert send.worker in run.shares, f"seed {self.seed}: {send.worker} is not near the best wait"
        expected = cost(unread, min(asked.answer, USUAL_OUTPUT_TOKENS))
        for name, part in run.shares.items():
            other = self.machines[name]
            if not other.first_job_after_s:
                other.passed_over_s += expected * part / capacity(other.offer)
        machine.jobs[send.job] = run
        if not machine.jobs_since_join:
            machine.first_job_after_s.append(self.now - machine.joined_at)
        machine.jobs_since_join += 1
        if send.epoch == 1:
            (history,) = self.scheduler.histories(send.job)
            self.waited[asked.order.account].append(history.waited_s)
        self.moved += send.epoch > 1
        self.later(0.05, lambda: self._start(send.worker, run))

    def _shares(self, asked: Asked, unread: int) -> dict[WorkerId, float]:
        """Who could have had it, by capacity: a free slot, and an expected wait near the best."""
        output = min(asked.order.sampling.max_tokens - asked.tokens, USUAL_OUTPUT_TOKENS)
        waits = {
            name: expected_wait_s(
                pace(one.offer, len(one.jobs), sum(run.unread for run in one.jobs.values())),
                prompt_tokens=unread,
                output_tokens=output,
            )
            for name, one in self.machines.items()
            if one.present and len(one.jobs) < one.offer.slots
        }
        limit_s = band_s(min(waits.values()))
        able = {name: capacity(self.machines[name].offer) for name, wait_s in waits.items() if wait_s <= limit_s}
        total = sum(able.values())
        return {name: each / total for name, each in able.items()}

    def _current(self, worker: WorkerId, run: Run) -> bool:
        return self.machines[worker].jobs.get(run.job) is run

    def _start(self, worker: WorkerId, run: Run) -> None:
        if not self._current(worker, run):
            return
        machine, asked = self.machines[worker], self.asked[run.job]
        prompt = asked.order.estimated_prompt_tokens + asked.tokens
        assert self.scheduler.on_started(worker, run.job, run.epoch, self.now, prompt, 0) is COUNTS
        run.started = True
        run.cost += prompt
        self._count(asked, prompt if not asked.tokens else 0)
        self._read(worker, run, prompt / (machine.offer.prefill_tps * machine.real))

    def _read(self, worker: WorkerId, run: Run, left_s: float) -> None:
        if not self._current(worker, run):
            return
        self.scheduler.on_progress(worker, run.job, run.epoch, self.now, int(1000 * self.now))  # ever more
        if left_s <= STEP_S:
            self.later(left_s, lambda: self._write(worker, run))
        else:
            self.later(STEP_S, lambda: self._read(worker, run, left_s - STEP_S))

    def _write(self, worker: WorkerId, run: Run) -> None:
        """As many tokens as come in a step; the last ones end the job."""
        if not self._current(worker, run):
            return
        machine, asked = self.machines[worker], self.asked[run.job]
        rate_tps = machine.offer.decode_tps * machine.real / len(machine.jobs) ** 0.5
        count = max(1, min(asked.answer - asked.tokens, round(rate_tps * STEP_S)))
        self.scheduler.on_stepped(worker, self.now)
        assert self.scheduler.on_tokens(worker, run.job, run.epoch, asked.tokens, count, self.now) is COUNTS
        asked.tokens += count
        run.unread = 0
        run.cost += cost(0, count)
        self._count(asked, cost(0, count))
        if asked.tokens < asked.answer:
            self.later(count / rate_tps, lambda: self._write(worker, run))
            return
        self._settle(machine, run)
        del self.asked[run.job]
        self.done += 1
        verdict, effects = self.scheduler.on_finished(worker, run.job, run.epoch, asked.tokens, self.now)
        assert verdict is COUNTS
        self.take(effects)

    def _count(self, asked: Asked, amount: float) -> None:
        self.service[asked.order.account] += amount

    def _stop(self, worker: WorkerId, job: JobId) -> None:
        machine = self.machines[worker]
        run = machine.jobs.get(job)
        if run is not None:
            self._settle(machine, run)

    def _settle(self, machine: Machine, run: Run) -> None:
        """The worker's part of the job is over: who could have had it was due a part of what it cost."""
        del machine.jobs[run.job]
        machine.served += run.cost
        for name, part in run.shares.items():
            self.machines[name].due += run.cost * part

    # ---- what came of it -------------------------------------------------------------------------------------------------

    def presence_s(self, machine: Machine) -> float:
        return machine.present_s + (self.now - machine.joined_at if machine.present else 0.0)

    def jain(self, least_s: float = 600.0) -> tuple[float, int]:
        """Jain's index of served / due, and over how many: those present for `least_s` who were due anything."""
        ratios = [m.served / m.due for m in self.machines.values() if self.presence_s(m) >= least_s and m.due > 0]
        return sum(ratios) ** 2 / (len(ratios) * sum(ratio**2 for ratio in ratios)), len(ratios)
