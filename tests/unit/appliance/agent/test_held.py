"""What a worker keeps of jobs that outlive their link: any suffix from a step's beginning on can be told again."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.agent import held
from appliance.agent.held import JOINED_STEPS, MAX_BYTES, Holds
from iamine.ids import JobId
from iamine.wire.messages import (
    CompletionWork,
    Finished,
    Held,
    Job,
    Resume,
    Sampling,
    SequenceStep,
    Started,
    Step,
    TokenLogprob,
)

J = JobId("job_1")
STARTED = Started(job=J, epoch=2, prompt_tokens=3)


def job(hold_s: float = 60.0, prefix: tuple[int, ...] = ()) -> Job:
    work = CompletionWork(prompt="x")
    return Job(
        job=J, epoch=2, file_sha256="f", work=work, sampling=Sampling(max_tokens=9), now=0.0, hold_s=hold_s, prefix=prefix
    )


def step(index: int, *ids: int, text: str = "t") -> SequenceStep:
    return SequenceStep(job=J, epoch=2, index=index, ids=ids, text=text)


def finished(tokens: int) -> Finished:
    return Finished(job=J, epoch=2, tokens=tokens, reason="stop")


def resume(index: int, epoch: int = 2) -> Resume:
    return Resume(job=J, epoch=epoch, index=index)


def running(*steps: SequenceStep, prefix: tuple[int, ...] = ()) -> Holds:
    holds = Holds()
    holds.take(job(prefix=prefix))
    assert all(holds.note(frame) for frame in (STARTED, *steps))
    return holds


def test_while_the_link_lives_everything_may_be_told() -> None:
    holds = running(step(0, 1), step(1, 2))
    assert holds.note(finished(2))
    assert holds.told() == () and not holds.waits((J, 2))


def test_a_job_that_is_not_to_be_held_is_not_kept() -> None:
    holds = Holds()
    holds.take(job(hold_s=0.0))
    assert (J, 2) not in holds
    assert holds.note(STARTED) and holds.note(step(0, 1))
    holds.lost(1.0)
    assert holds.told() == () and holds.resume(resume(0)) is None


@given(st.lists(st.integers(1, 5), max_size=20), st.data(), st.integers(0, 3))
def test_after_the_loss_it_is_told_again_from_any_steps_beginning(sizes: list[int], data: st.DataObject, prefix: int) -> None:
    begins = [prefix]
    for size in sizes:
        begins.append(begins[-1] + size)
    steps = [step(begin, *range(begin, begin + size), text=f"<{begin}>") for begin, size in zip(begins, sizes, strict=False)]
    lost_after = data.draw(st.integers(0, len(steps)))
    holds = running(*steps[:lost_after], prefix=tuple(range(prefix)))
    holds.lost(10.0)
    assert not any(holds.note(one) for one in steps[lost_after:])
    assert not holds.note(finished(begins[-1]))
    assert holds.told() == (Held(job=J, epoch=2, file_sha256="f", first=prefix, tokens=begins[-1]),)
    asked = data.draw(st.integers(0, begins[-1] + 1))
    frames = holds.resume(resume(asked))
    if asked not in begins:
        assert frames is None and holds.waits((J, 2))
        return
    assert frames is not None and (frames[0], frames[-1]) == (STARTED, finished(begins[-1]))
    told = [one.sequences[0] for one in frames[1:-1] if isinstance(one, Step)]
    assert [token for one in told for token in one.ids] == list(range(asked, begins[-1]))
    assert "".join(one.text for one in told) == "".join(one.text for one in steps if one.index >= asked)
    assert not holds.waits((J, 2)) and holds.told() == ()


def test_many_steps_are_told_in_few_frames_with_their_log_probabilities() -> None:
    one = TokenLogprob(id=1, logprob=-1.0, bytes=(65,))
    steps = [SequenceStep(job=J, epoch=2, index=i, ids=(i,), text="t", logprobs=(one,)) for i in range(JOINED_STEPS + 1)]
    holds = running(*steps)
    holds.lost(0.0)
    frames = holds.resume(resume(0))
    assert frames is not None and len(frames) == 3
    assert isinstance(frames[1], Step) and len(frames[1].sequences[0].logprobs) == JOINED_STEPS


def test_before_its_beginning_there_is_nothing_to_tell_but_that() -> None:
    holds = Holds()
    holds.take(job())
    holds.lost(0.0)
    assert holds.told() == (Held(job=J, epoch=2, file_sha256="f", first=0, tokens=0),)
    assert holds.resume(resume(0)) == []
    assert holds.note(STARTED), "from now on its frames are told as they come"
    assert holds.resume(resume(0, epoch=3)) is None


def test_too_long_an_answer_loses_its_oldest_frames() -> None:
    big = MAX_BYTES // (4 * 3)
    holds = running(*(step(i, i, text="x" * big) for i in range(5)))
    holds.lost(0.0)
    (told,) = holds.told()
    assert 0 < told.first < told.tokens == 5
    assert holds.resume(resume(told.first - 1)) is None
    assert holds.resume(resume(told.first)) is not None
    assert held.TOKEN_BYTES > 0


def test_nobody_asks_for_ever() -> None:
    holds = running()
    assert holds.overdue(1e9) == []
    holds.lost(100.0)
    assert (holds.overdue(159.9), holds.overdue(160.0)) == ([], [(J, 2)])
    holds.linked(150.0)
    assert (holds.overdue(209.9), holds.overdue(210.0)) == ([], [(J, 2)])
    holds.drop((J, 2))
    holds.drop((J, 2))
    assert holds.overdue(1e9) == [] and holds.told() == ()
