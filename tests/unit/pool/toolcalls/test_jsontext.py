"""JSON in raw text."""

import pytest

from pool.toolcalls.jsontext import Marks, outside_strings, overlap, read_call, values

MARK = outside_strings(["<x>"])


@pytest.mark.parametrize(
    ("text", "at"),
    [("a<x>", [1]), ('"<x>"<x>', [5]), ('"\\"<x>', []), ('"\\\\"<x>', [4]), ('"a\\', []), ("<x> <x>", [0, 4]), ("\\<x>", [1])],
)
def test_marks_in_strings_do_not_count(text: str, at: list[int]) -> None:
    for step in (1, len(text)):
        marks, found = Marks(MARK), []
        for end in range(step, len(text) + 1, step):
            while match := marks.next(text[:end], 0):
                found.append(match.start())
        assert found == at


def test_values_follow_each_other() -> None:
    assert list(values(" 1;{}\n[2] ;")) == [1, {}, [2]]
    assert list(values("")) == []
    with pytest.raises(ValueError, match="NaN"):
        list(values("1 NaN"))


def test_the_longest_beginning_of_a_mark_is_held() -> None:
    assert overlap("a <x", ("<x>", "<y>")) == 2
    assert overlap("a <", ("<x>",)) == 1
    assert overlap("a", ("<x>",)) == overlap("", ("<x>",)) == 0


def test_one_call_is_one_object() -> None:
    assert read_call('{"name": "f", "parameters": {}}') == [("f", "{}")]
    assert read_call("f") is None
