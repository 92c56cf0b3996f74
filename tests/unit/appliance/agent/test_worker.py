"""The worker between pool and engine, with both sides in memory."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from appliance.agent.types import Connecting, Linked, Unlinked
from appliance.agent.worker import Worker
from iamine.ids import JobId, ModelId, SessionId, WorkerId
from iamine.wire.messages import (
    Cancel,
    ChatWork,
    Claim,
    Drain,
    Embedded,
    Failed,
    Finished,
    FromWorker,
    Hardware,
    Heartbeat,
    Job,
    ManifestUpdate,
    ModelOffer,
    Models,
    Progress,
    Resume,
    Sampling,
    SequenceStep,
    Standing,
    Started,
    Step,
)

HARDWARE = Hardware(cpu="c", cores_physical=1, cores_usable=1.0, memory_bytes=1, memory_available_bytes=1)
SHA = "ab" * 32
OFFER = ModelOffer(model=ModelId("m"), file_sha256=SHA, slots=4, context_tokens=64, vocabulary_tokens=8)
LINKED = Linked(pool="p", fingerprint="f", worker=WorkerId("wrk_1"), session=SessionId("ses_1"))
LOST = Unlinked(reason="gone", retry_in_s=2.0)


class FakeEngines:
    """Keeps what it is asked."""

    def __init__(self) -> None:
        self.offers: tuple[ModelOffer, ...] = (OFFER,)
        self.ready = True
        self.asked: list[Any] = []

    def submit(self, job: Job) -> None:
        self.asked.append(job)

    def cancel(self, cancel: Cancel) -> None:
        self.asked.append(cancel)

    def cancel_all(self) -> None:
        self.asked.append("all")


class FakeChannel:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[FromWorker] = []
        self.changes = 0

    def send(self, message: FromWorker) -> None:
        self.sent.append(message)

    def changed(self) -> None:
        self.changes += 1


class Bench:
    """A worker with two fake sides, a list of lines and a clock that is set by hand."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now = 100.0
        self.engines, self.channel = FakeEngines(), FakeChannel()
        self.worker = Worker(hardware=HARDWARE, say=self.lines.append, clock=lambda: self.now)
        self.worker.attach(self.engines, self.channel)
        self.worker.linked(LINKED)


def job(name: str = "job_1", epoch: int = 1, sha: str = SHA) -> Job:
    work = ChatWork(messages=msgspec.Raw(b'[{"role":"user","content":"a secret question"}]'))
    return Job(job=JobId(name), epoch=epoch, file_sha256=sha, work=work, sampling=Sampling(max_tokens=4), now=0.0)


def step(*names: str, tokens: int = 1, epoch: int = 1) -> Step:
    return Step(
        sequences=tuple(SequenceStep(job=JobId(name), epoch=epoch, index=0, ids=(1,) * tokens, text="x") for name in names)
    )


def finished(name: str = "job_1", epoch: int = 1) -> Finished:
    return Finished(job=JobId(name), epoch=epoch, tokens=1, reason="stop")


def test_a_job_goes_to_the_engine_and_its_frames_to_the_pool() -> None:
    bench = Bench()
    bench.worker.heard(job())
    frames = [Started(job=JobId("job_1"), epoch=1, prompt_tokens=3),
              Progress(job=JobId("job_1"), epoch=1, done_tokens=1, total_tokens=3), step("job_1"), finished()]  # fmt: skip
    for frame in frames:
        bench.worker.on_frame(frame)
    assert bench.engines.asked == [job()]
    assert bench.channel.sent == frames
    assert (bench.worker.status().jobs_done, bench.worker.status().running) == (1, 0)
    assert bench.channel.changes == 2


def test_a_newer_manifest_is_kept_and_told() -> None:
    lines: list[str] = []
    news = ManifestUpdate(text="t", signature="s")
    worker = Worker(hardware=HARDWARE, say=lines.append, clock=lambda: 0.0, renew=lambda told: f"kept {told.text}")
    worker.heard(news)
    Worker(hardware=HARDWARE, say=lines.append, clock=lambda: 0.0).heard(news)
    assert lines == ["kept t", "a newer list of models is passed over"]


def test_running_jobs_and_load_are_told() -> None:
    bench = Bench()
    assert (bench.worker.snapshot().running, bench.worker.snapshot().load, bench.worker.snapshot().ready) == (0, 0.0, True)
    bench.worker.heard(job())
    assert (bench.worker.snapshot().running, bench.worker.snapshot().load) == (1, 0.25)
    bench.engines.ready, bench.engines.offers = False, ()
    assert (bench.worker.snapshot().ready, bench.worker.snapshot().load) == (False, 0.0)


def test_a_model_that_is_not_loaded_is_refused_for_another_worker_to_take() -> None:
    bench = Bench()
    bench.worker.heard(job(sha="cd" * 32))
    (failed,) = bench.channel.sent
    assert isinstance(failed, Failed)
    assert (failed.code, failed.retryable) == ("model_missing", True)
    assert bench.engines.asked == []


def test_a_worker_that_leaves_or_is_drained_takes_nothing_until_the_next_link() -> None:
    for leave in (lambda bench: bench.worker.drain(), lambda bench: bench.worker.heard(Drain(reason="update"))):
        bench = Bench()
        leave(bench)
        bench.worker.heard(job())
        (failed,) = bench.channel.sent
        assert isinstance(failed, Failed)
        assert (failed.code, failed.retryable) == ("draining", True)
        assert bench.worker.status().draining
    bench.worker.linked(LOST)
    bench.worker.linked(LINKED)
    bench.worker.heard(job())
    assert bench.engines.asked[-1] == job()


@pytest.mark.parametrize(("take_back", "resting"), [(Worker.drain, False), (lambda it: it.rest("paused"), True)])
def test_jobs_are_given_back_at_once_after_the_pool_heard_that_none_are_taken(
    take_back: Callable[[Worker], int], resting: bool
) -> None:
    bench = Bench()
    bench.worker.heard(job("a"))
    bench.worker.heard(job("b"))
    assert take_back(bench.worker) == 2
    first, *lost = bench.channel.sent
    assert first == Heartbeat(running=0, ready=False, resting=resting)
    assert {(each.job, each.code, each.retryable) for each in lost if isinstance(each, Failed)} == {
        ("a", "draining", True),
        ("b", "draining", True),
    }
    assert {each.job for each in bench.engines.asked if isinstance(each, Cancel)} == {"a", "b"}
    bench.worker.on_frame(finished("a"))
    assert len(bench.channel.sent) == 3
    assert (bench.worker.snapshot().running, bench.worker.snapshot().ready) == (0, False)


def test_at_rest_it_refuses_and_says_so_until_it_resumes() -> None:
    bench = Bench()
    assert bench.worker.rest("paused by its owner") == 0
    bench.worker.heard(job())
    (failed,) = bench.channel.sent
    assert isinstance(failed, Failed) and failed.code == "draining"
    assert (bench.worker.snapshot().resting, bench.worker.status().resting) == (True, "paused by its owner")
    bench.worker.resume()
    bench.worker.heard(job())
    assert bench.engines.asked == [job()]
    assert (bench.worker.snapshot().resting, bench.worker.status().resting, bench.worker.snapshot().ready) == (False, "", True)


def test_a_cancelled_job_is_stopped_and_its_late_frames_are_dropped() -> None:
    bench = Bench()
    bench.worker.heard(job())
    cancel = Cancel(job=JobId("job_1"), epoch=1)
    bench.worker.heard(cancel)
    bench.worker.heard(cancel)
    for frame in (step("job_1"), finished(), Started(job=JobId("job_1"), epoch=1, prompt_tokens=1)):
        bench.worker.on_frame(frame)
    assert bench.engines.asked == [job(), cancel]
    assert bench.channel.sent == []


def test_of_a_mixed_step_only_what_the_pool_waits_for_is_sent() -> None:
    bench = Bench()
    bench.worker.heard(job("a"))
    bench.worker.on_frame(step("a", "b"))
    assert bench.channel.sent == [step("a")]


def test_an_older_epoch_of_a_running_job_is_dropped() -> None:
    bench = Bench()
    bench.worker.heard(job(epoch=2))
    bench.worker.on_frame(step("job_1", epoch=1))
    assert bench.channel.sent == []


def test_when_the_link_is_lost_every_job_is_given_up() -> None:
    bench = Bench()
    bench.worker.heard(job())
    bench.worker.linked(LOST)
    bench.worker.on_frame(finished())
    assert bench.engines.asked[-1] == "all"
    assert bench.channel.sent == []
    assert bench.worker.snapshot().running == 0
    bench.worker.linked(Connecting(url="u"))
    bench.worker.linked(LOST)
    assert bench.engines.asked.count("all") == 1


def test_a_failed_job_and_an_embedding_are_counted() -> None:
    bench = Bench()
    for name in ("a", "b"):
        bench.worker.heard(job(name))
    bench.worker.on_frame(Failed(job=JobId("a"), epoch=1, code="engine_lost", message="a secret question", retryable=True))
    bench.worker.on_frame(Embedded(job=JobId("b"), epoch=1, vectors=((1.0,),), prompt_tokens=1))
    assert (bench.worker.status().jobs_failed, bench.worker.status().jobs_done) == (1, 1)
    assert not any("secret" in line for line in bench.lines)


def test_the_rate_is_tokens_over_busy_seconds() -> None:
    bench = Bench()
    bench.worker.heard(job())
    bench.now += 2.0
    bench.worker.on_frame(step("job_1", tokens=10))
    assert bench.worker.status().rate_tps == 5.0
    assert bench.worker.status().tokens == 10


def test_each_running_answer_is_shown_with_its_speed_and_a_failure_with_its_code() -> None:
    bench = Bench()
    for name in ("a", "b"):
        bench.worker.heard(job(name))
    for _ in range(2):
        bench.now += 1.0
        bench.worker.on_frame(step("a", tokens=4))
    first, second = bench.worker.status().slots
    assert (first.model, first.tokens, first.rate_tps) == (OFFER.model, 8, 4.0)
    assert (second.tokens, second.rate_tps) == (0, 0.0)
    bench.worker.on_frame(Failed(job=JobId("a"), epoch=1, code="engine_lost", message="", retryable=True))
    assert (len(bench.worker.status().slots), bench.worker.status().last_failure) == (1, "engine_lost")


def test_changed_offers_are_told_while_linked_only() -> None:
    bench = Bench()
    bench.worker.on_offers((OFFER,))
    assert bench.channel.sent == [Models(models=(OFFER,))]
    bench.worker.linked(LOST)
    bench.worker.on_offers(())
    assert len(bench.channel.sent) == 1


def test_before_its_sides_are_there_it_refuses_quietly() -> None:
    worker = Worker(hardware=HARDWARE, say=lambda line: None, clock=lambda: 0.0)
    worker.heard(job())
    worker.linked(LINKED)
    worker.linked(LOST)
    assert worker.snapshot().offers == worker.status().models == ()
    assert not worker.snapshot().ready


def test_why_no_job_comes_is_shown_while_none_runs_and_told_aloud_when_the_machine_is_too_slow() -> None:
    bench = Bench()
    bench.worker.heard(Standing(model=ModelId("tiny"), deficit_s=12.4, reason="turn", text="others are owed more"))
    assert bench.worker.status().standing == "others are owed more (owed 12 s of work)"
    said = len(bench.lines)
    for _ in range(2):
        bench.worker.heard(Standing(model=ModelId("tiny"), deficit_s=0.0, reason="slow"))
    assert bench.lines[said:] == ["no job for tiny (slow)"]
    bench.worker.heard(job())
    assert bench.worker.status().standing == ""


def begun(name: str = "job_1") -> Started:
    return Started(job=JobId(name), epoch=1, prompt_tokens=3)


def holding() -> Bench:
    """Two jobs run, one of them to be held; then the link is lost."""
    bench = Bench()
    for one in (msgspec.structs.replace(job("held"), hold_s=60.0), job("other")):
        bench.worker.heard(one)
    for frame in (begun("held"), step("held", "other", tokens=2)):
        bench.worker.on_frame(frame)
    bench.worker.linked(LOST)
    bench.channel.sent.clear()
    return bench


def told(bench: Bench) -> list[tuple[str, int, int]]:
    return [(one.job, one.first, one.tokens) for one in bench.worker.snapshot().holding]


def test_a_job_to_be_held_goes_on_without_the_link_and_is_told_again_when_asked_for() -> None:
    bench = holding()
    assert bench.engines.asked[2:] == [Cancel(job=JobId("other"), epoch=1)]
    for frame in (SequenceStep(job=JobId("held"), epoch=1, index=2, ids=(7,), text="y"),):
        bench.worker.on_frame(Step(sequences=(frame,)))
    bench.worker.on_frame(Progress(job=JobId("held"), epoch=1, done_tokens=1, total_tokens=3))
    assert bench.channel.sent == [] and told(bench) == [("held", 0, 3)]
    bench.worker.linked(LINKED)
    bench.worker.heard(Resume(job=JobId("held"), epoch=1, index=2))
    late = Step(sequences=(SequenceStep(job=JobId("held"), epoch=1, index=3, ids=(8,), text="z"),))
    bench.worker.on_frame(late)
    end = Finished(job=JobId("held"), epoch=1, tokens=4, reason="stop")
    bench.worker.on_frame(end)
    assert bench.channel.sent == [begun("held"), Step(sequences=(frame,)), late, end]
    bench.worker.linked(LOST)
    assert told(bench) == [] and bench.worker.status().jobs_done == 1


def test_a_held_job_that_ends_meanwhile_is_kept_and_one_that_fails_is_not() -> None:
    bench = holding()
    end = Finished(job=JobId("held"), epoch=1, tokens=2, reason="stop")
    bench.worker.on_frame(end)
    assert bench.channel.sent == [] and told(bench) == [("held", 0, 2)] and bench.worker.snapshot().running == 0
    bench.worker.linked(LINKED)
    bench.worker.heard(Resume(job=JobId("held"), epoch=1, index=2))
    assert bench.channel.sent == [begun("held"), end]
    assert told(bench) == []
    bench = holding()
    bench.worker.on_frame(Failed(job=JobId("held"), epoch=1, code="engine_lost", message="", retryable=True))
    assert bench.channel.sent == [] and told(bench) == []


def test_what_it_has_not_got_it_says() -> None:
    bench = holding()
    bench.worker.linked(LINKED)
    for index, epoch in ((1, 1), (0, 2)):
        bench.worker.heard(Resume(job=JobId("held"), epoch=epoch, index=index))
        failed = bench.channel.sent[-1]
        assert isinstance(failed, Failed) and (failed.code, failed.epoch, failed.retryable) == ("engine_lost", epoch, True)
    assert bench.engines.asked[-1] == Cancel(job=JobId("held"), epoch=1)
    assert told(bench) == []


def test_a_held_job_is_given_up_when_the_pool_says_so_or_nobody_asks() -> None:
    bench = holding()
    bench.worker.linked(LINKED)
    bench.worker.heard(Cancel(job=JobId("held"), epoch=1))
    assert bench.engines.asked[-1] == Cancel(job=JobId("held"), epoch=1) and told(bench) == []
    bench = holding()
    bench.now += 59.0
    bench.worker.tick()
    assert told(bench) != []
    bench.now += 1.0
    bench.worker.tick()
    assert bench.engines.asked[-1] == Cancel(job=JobId("held"), epoch=1) and told(bench) == []
    assert bench.worker.snapshot().running == 0


def test_a_worker_that_moves_takes_nothing_new_and_what_runs_ends_here() -> None:
    bench = Bench()
    bench.worker.heard(job())
    bench.worker.move(ModelId("other"), 85.5)
    told = bench.worker.snapshot()
    assert (told.running, told.ready, told.moving_to, told.moving_tps) == (1, False, "other", 85.5)
    bench.worker.heard(job("k"))
    assert isinstance(bench.channel.sent[-1], Failed) and bench.channel.sent[-1].code == "draining"
    bench.worker.settle("serves other")
    told = bench.worker.snapshot()
    assert (told.ready, told.moving_to, bench.worker.status().course) == (True, None, "serves other")


def test_the_claim_code_is_shown_while_linked() -> None:
    bench = Bench()
    bench.worker.heard(Claim(code="7KQ4-M2XN", valid_s=60.0))
    assert bench.worker.status().claim_code == "7KQ4-M2XN"
    bench.worker.linked(LOST)
    assert bench.worker.status().claim_code == ""
    bench.worker.heard(Claim(owner="Ann"))
    assert bench.worker.status().owner == "Ann"
