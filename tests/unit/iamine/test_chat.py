"""Talking to a pool, with the pool and the person in memory."""

import io
import json
from collections.abc import Iterator

import httpx
import pytest

from iamine.chat import EXIT_INTERRUPTED, EXIT_OK, Message, ReadLine, dialogue, first_model, flat, model_row, offered, once
from iamine.client import Access, ChatEvent, Client, ClientError, Delta, End, Note

END = End(model="m", finish_reason="stop", usage={"total_tokens": 2}, extra={"job": "j"})


class FakePool:
    """Answers each turn by the next list of events, and keeps what it was asked."""

    def __init__(self, *answers: list[ChatEvent | BaseException]) -> None:
        self._answers = list(answers)
        self.asked: list[list[Message]] = []

    def __call__(self, messages: list[Message]) -> Iterator[ChatEvent]:
        self.asked.append(messages)
        for event in self._answers.pop(0):
            if isinstance(event, BaseException):
                raise event
            yield event


def person(*lines: str | type[BaseException]) -> ReadLine:
    """Types these lines, or presses Ctrl-D or Ctrl-C."""
    typed = iter(lines)

    def read(prompt: str) -> str:
        line = next(typed)
        if isinstance(line, str):
            return line
        raise line

    return read


def test_one_question_is_answered_as_it_comes() -> None:
    pool, out = FakePool([Note(text="queued"), Delta(text="Hel"), Delta(text="lo"), END]), io.StringIO()
    assert once(pool, [{"role": "system", "content": "s"}], "hi", out, io.StringIO(), as_json=False) == EXIT_OK
    assert out.getvalue() == "Hello\n"
    assert pool.asked[0] == [{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}]


def test_one_question_as_json() -> None:
    out = io.StringIO()
    assert once(FakePool([Delta(text="a", reasoning="r"), END]), [], "hi", out, io.StringIO(), as_json=True) == EXIT_OK
    found = json.loads(out.getvalue())
    assert (found["text"], found["reasoning"], found["finish_reason"], found["x_iamine"]) == ("a", "r", "stop", {"job": "j"})


def test_no_question_is_an_error() -> None:
    with pytest.raises(ClientError, match="no question"):
        once(FakePool(), [], " \n", io.StringIO(), io.StringIO(), as_json=False)


def test_an_answer_broken_off_is_told_by_the_exit_code() -> None:
    pool = FakePool([Delta(text="a"), KeyboardInterrupt()])
    assert once(pool, [], "hi", io.StringIO(), io.StringIO(), as_json=False) == EXIT_INTERRUPTED


def test_a_dialogue_remembers_its_turns_and_ends_with_ctrl_d() -> None:
    pool = FakePool([Delta(text="one"), END], [Delta(text="two"), END])
    assert dialogue(pool, [], person("a", "", "b", EOFError), io.StringIO(), io.StringIO()) == EXIT_OK
    assert [message["content"] for message in pool.asked[1]] == ["a", "one", "b"]


def test_ctrl_c_breaks_off_an_answer_and_then_the_dialogue() -> None:
    pool, out = FakePool([Delta(text="lo"), KeyboardInterrupt()], [END]), io.StringIO()
    assert dialogue(pool, [], person("a", "b", KeyboardInterrupt), out, io.StringIO()) == EXIT_OK
    assert [message["content"] for message in pool.asked[1]] == ["a", "lo", "b"]


def test_an_error_is_told_and_the_dialogue_goes_on_without_that_turn() -> None:
    pool, err = FakePool([ClientError("no worker", hint="wait")], [END]), io.StringIO()
    dialogue(pool, [], person("a", "b", EOFError), io.StringIO(), err)
    assert "no worker" in err.getvalue()
    assert [message["content"] for message in pool.asked[1]] == ["b"]


def test_without_a_name_the_first_model_with_a_worker_that_chats_is_taken() -> None:
    models = [{"id": "e", "kind": "embedding", "workers": 9}, {"id": "a", "workers": 0}, {"id": "b", "workers": 1}]
    assert first_model(models) == "b"
    assert first_model(models[:2]) == "a"
    with pytest.raises(ClientError, match="no chat model"):
        first_model(models[:1])


def test_status_values_are_flat_with_dotted_names() -> None:
    assert list(flat({"a": 1, "b": {"c": [2]}})) == [("a", 1), ("b.c", [2])]
    assert model_row({"id": "m", "workers": 2}) == ("m", "-", "-", 2)


def test_without_a_key_the_status_tells_the_models() -> None:
    def pool(status: int) -> Client:
        def handler(request: httpx.Request) -> httpx.Response:
            return httpx.Response(status, json={"data": [{"id": "listed"}]})

        return Client(Access(base_url="http://p/v1"), transport=httpx.MockTransport(handler))

    told = {"models": [{"id": "told"}]}
    assert [model["id"] for model in offered(pool(200), told)] == ["listed"]
    assert [model["id"] for model in offered(pool(401), told)] == ["told"]
    assert offered(pool(401), {}) == []
