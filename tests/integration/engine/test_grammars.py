"""Constraints hold, and a bad one harms nobody else."""

import json
from typing import Any

import pytest

from iamine.wire.messages import Grammar

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer"}, "tags": {"type": "array"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
# Every letter doubles the ways in which the rule may go on: 2^n stacks after n letters.
EXPONENTIAL = 'root ::= x\nx ::= [a-zA-Z !]+ x "1" | [a-zA-Z !]+ x "2" | [a-zA-Z !] x "3" | "#"'

NASTY = {
    "no root": 'Root ::= "a"',
    "unknown rule": "root ::= other",
    "left recursion": 'root ::= root "a" | "b"',
    "hidden left recursion": 'root ::= e root "a" | "b"\ne ::= "x"?',
    "unclosed": 'root ::= ("a"',
    "deep": "root ::= " + "(" * 100_000 + '"a"' + ")" * 100_000,
    "one megabyte": "root ::= " + '"a" ' * 250_000,
    "huge repetition": 'root ::= (("a"{2000}){2000}){2000}',
    "nothing allowed": "root ::= <[99999999]>",
    "bad escape": 'root ::= "\\x"',
    "nul": 'root ::= "a"\0',
    "exponential": EXPONENTIAL,
    "empty": "",
}


def gbnf(text: str) -> Grammar:
    return Grammar(kind="gbnf", text=text)


def schema(value: Any) -> Grammar:
    return Grammar(kind="json_schema", text=json.dumps(value))


def test_a_grammar_decides_what_can_be_said_and_when_it_ends(shared: Any) -> None:
    answer = shared.answer("Hello", grammar=gbnf('root ::= "yes" | "no"'))
    assert answer.text in {"yes", "no"}
    assert answer.end.reason == "stop"


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_answers_fit_their_schema(shared: Any, temperature: float) -> None:
    jobs = [shared.job("Hello", grammar=schema(SCHEMA), temperature=temperature, seed=n, max_tokens=300) for n in range(12)]
    for answer in shared.answers(jobs):
        if answer.end.reason == "stop":
            value = json.loads(answer.text)
            assert isinstance(value["name"], str)
            assert isinstance(value["age"], int)
            assert set(value) <= {"name", "age", "tags"}


def test_any_json_object(shared: Any) -> None:
    answer = shared.answer("Extract facts as JSON: I live in Oslo", grammar=Grammar(kind="json_object"), max_tokens=200)
    assert answer.end.reason == "stop"
    assert isinstance(json.loads(answer.text), dict)


def test_ignoring_the_end_does_not_outlive_a_complete_grammar(shared: Any) -> None:
    answer = shared.answer("Hello", grammar=gbnf('root ::= "yes"'), ignore_eos=True)
    assert (answer.text, answer.end.reason) == ("yes", "stop")


@pytest.mark.parametrize("options", [{}, {"temperature": 1.2, "seed": 4}], ids=["greedy", "sampled"])
def test_continued_at_any_token_the_answer_is_the_same(shared: Any, options: dict[str, Any]) -> None:
    options = {**options, "grammar": schema(SCHEMA), "max_tokens": 60}
    whole = shared.answer("Hello", **options)
    jobs = [shared.job("Hello", prefix=tuple(whole.ids[:k]), **options) for k in range(len(whole.ids) + 1)]
    for k, answer in enumerate(shared.answers(jobs, at_once=12)):
        assert answer.ids == whole.ids[k:]
        assert (answer.end.reason, answer.end.tokens) == (whole.end.reason, len(whole.ids))


def test_a_prefix_outside_the_grammar_is_refused(shared: Any) -> None:
    failed = shared.answer("Hello", grammar=gbnf('root ::= "yes"'), prefix=(300, 301)).end
    assert (failed.code, failed.retryable) == ("bad_grammar", False)


@pytest.mark.parametrize("name", NASTY)
def test_a_bad_grammar_fails_its_own_job_only(shared: Any, name: str) -> None:
    jobs = [
        shared.job("Count from 1 to 9"),
        shared.job("Hello", grammar=gbnf(NASTY[name])),
        shared.job("Hello", grammar=gbnf('root ::= "yes"')),
    ]
    first, bad, good = shared.answers(jobs)
    assert (bad.end.code, bad.end.retryable) == ("bad_grammar", False)
    assert (first.end.reason, good.text) == ("stop", "yes")
    assert shared.process.poll() is None


def test_while_a_grammar_thinks_the_others_go_on(shared: Any) -> None:
    slow = shared.job("Hello", grammar=gbnf(EXPONENTIAL))
    quick = [shared.job("Count from 1 to 9") for _ in range(10)]
    order: list[str] = []
    for job in [slow, *quick]:
        shared.send(job)
    while len(order) < 11:
        frame = shared.receive()
        if type(frame).__name__ in {"Finished", "Failed"}:
            order.append(frame.job)
    assert order[-1] == slow.job
