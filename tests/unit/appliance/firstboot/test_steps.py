"""The table of steps: nothing is done before what it needs, everything is done or left out, whatever fails."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from appliance.firstboot.steps import TABLE, Outcome, Perform, Skip, Step, following


def test_every_step_stands_once_and_after_what_it_needs() -> None:
    order = [rule.step for rule in TABLE]
    assert sorted(order, key=lambda step: step.value) == sorted(Step, key=lambda step: step.value)
    for place, rule in enumerate(TABLE):
        assert set(rule.needs) <= set(order[:place])
        assert rule.code.startswith("E-") and rule.advice


@given(failing=st.sets(st.sampled_from(list(Step))))
def test_whatever_fails_every_step_gets_an_outcome_and_none_runs_on_sand(failing: set[Step]) -> None:
    outcomes: dict[Step, Outcome] = {}
    for _ in Step:
        match following(outcomes):
            case Perform(rule):
                assert all(outcomes[need] is Outcome.DONE for need in rule.needs)
                outcomes[rule.step] = Outcome.FAILED if rule.step in failing else Outcome.DONE
            case Skip(step, because):
                assert outcomes[because] is not Outcome.DONE
                outcomes[step] = Outcome.SKIPPED
            case None:
                raise AssertionError("a step is left")
    assert following(outcomes) is None
    assert outcomes[Step.WORKER] is (Outcome.FAILED if Step.WORKER in failing else Outcome.DONE)


def test_the_worker_is_configured_even_without_a_stick() -> None:
    outcomes = dict.fromkeys(Step, Outcome.SKIPPED) | {Step.MEDIUM: Outcome.FAILED}
    del outcomes[Step.WORKER]
    found = following(outcomes)
    assert isinstance(found, Perform) and found.rule.step is Step.WORKER


def test_the_secret_is_blanked_only_after_the_copy_is_safe() -> None:
    for remember, blank in product(Outcome, [Step.BLANK]):
        outcomes = dict.fromkeys(Step, Outcome.DONE) | {Step.REMEMBER: remember}
        del outcomes[blank]
        assert isinstance(following(outcomes), Perform) is (remember is Outcome.DONE)
