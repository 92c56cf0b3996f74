"""The numbering of calls."""

from fakes.reading import JOB, call, new_calls

from pool.toolcalls.types import HIDDEN, NO_TOOLS, Calls, Tools, call_id


def test_a_calls_id_is_the_same_when_the_answer_is_read_again() -> None:
    assert call_id(JOB, 0) == call_id(JOB, 0) != call_id(JOB, 1)
    assert call_id(JOB, 0).startswith("call_")


def test_calls_are_made_together_or_not_at_all() -> None:
    calls = new_calls()
    assert calls.made(None) is calls.made([]) is calls.made([("look", "{}"), ("other", "{}")]) is None
    assert calls.count == 0
    assert calls.made([("look", "{}"), ("add", '{"a": 1}')]) == [call("look", "{}"), call(index=1)]
    assert calls.count == 2


def test_without_tools_no_call_is_made() -> None:
    assert Calls(JOB, NO_TOOLS).made([("add", "{}")]) is None


def test_a_hidden_call_has_no_number() -> None:
    calls = Calls(JOB, Tools(accepts=lambda _name, _arguments: True, hidden="think"))
    made = calls.made([("look", "{}"), ("think", "{}"), ("look", "{}")])
    assert made is not None
    assert [one.index for one in made] == [0, HIDDEN, 1]
    assert calls.count == 2
