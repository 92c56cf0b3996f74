"""Any order of events at the scheduler: slots are never overbooked, and the counts agree."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.wire.messages import CompletionWork, ModelOffer, Sampling
from pool.routing.effects import COUNTS, Effect, Evict, Refuse, Send
from pool.routing.scheduler import Scheduler
from pool.routing.types import JobOrder

M = ModelId("m")
W, V, U = WorkerId("w"), WorkerId("v"), WorkerId("u")


def offer(file: str, slots: int) -> ModelOffer:
    return ModelOffer(model=M, file_sha256=file, slots=slots, context_tokens=100, vocabulary_tokens=10)


def order(job: JobId, account: str, deadline_s: float) -> JobOrder:
    return JobOrder(
        job=job,
        account=AccountId(account),
        model=M,
        work=CompletionWork(prompt="x"),
        sampling=Sampling(max_tokens=10),
        wall_time_s=0.0,
        deadline_s=deadline_s,
    )


class Life(RuleBasedStateMachine):
    """Any order of events: slots are never overbooked, and the counts agree."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler, self.now = Scheduler(), 0.0
        self.epochs: dict[JobId, tuple[WorkerId, int]] = {}
        self.tokens: dict[JobId, int] = {}
        self.alive: set[JobId] = set()
        self.here: dict[WorkerId, int] = {}

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                assert effect.epoch > self.epochs.get(effect.job, (W, 0))[1]
                self.epochs[effect.job] = effect.worker, effect.epoch
                self.scheduler.on_started(effect.worker, effect.job, effect.epoch, self.now)
            elif isinstance(effect, Refuse):
                self.alive.discard(effect.job)
            elif isinstance(effect, Evict):
                self.here.pop(effect.worker, None)

    @rule(worker=st.sampled_from([W, V, U]), slots=st.integers(1, 3), file=st.sampled_from("fg"))
    def join(self, worker: WorkerId, slots: int, file: str) -> None:
        if worker not in self.here:
            self.here[worker] = slots
            self.take(self.scheduler.on_worker(worker, (offer(file, slots),), self.now))

    @rule(worker=st.sampled_from([W, V, U]))
    def leave(self, worker: WorkerId) -> None:
        self.here.pop(worker, None)
        self.take(self.scheduler.on_worker_gone(worker, self.now))

    @rule(account=st.sampled_from("ab"))
    def ask(self, account: str) -> None:
        job = JobId(f"j{len(self.tokens)}")
        self.tokens[job] = 0
        self.alive.add(job)
        self.take(self.scheduler.on_job(order(job, account, self.now + 9), self.now))

    @rule(data=st.data(), count=st.integers(1, 4))
    def write(self, data: st.DataObject, count: int) -> None:
        if self.epochs:
            job = data.draw(st.sampled_from(sorted(self.epochs)))
            worker, epoch = self.epochs[job]
            if self.scheduler.on_tokens(worker, job, epoch, self.tokens[job], count, self.now) is COUNTS:
                self.tokens[job] += count
            else:
                verdict, effects = self.scheduler.on_finished(worker, job, epoch, self.tokens[job], self.now)
                if verdict is COUNTS:
                    self.alive.discard(job)
                self.take(effects)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.alive:
            job = data.draw(st.sampled_from(sorted(self.alive)))
            self.alive.discard(job)
            self.take(self.scheduler.on_cancel(job, self.now))

    @rule(seconds=st.floats(0.1, 4.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.take(self.scheduler.on_tick(self.now))

    @invariant()
    def no_slot_is_overbooked(self) -> None:
        for worker, slots in self.here.items():
            assert len(self.scheduler.assigned(worker)) <= slots

    @invariant()
    def every_live_job_waits_or_runs(self) -> None:
        assert self.scheduler.running + self.scheduler.queued == len(self.alive)


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
