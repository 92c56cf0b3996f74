"""POST /v1/completions."""

import json
from typing import Any

import pytest

from pool.errors import InvalidRequest
from pool.openai.completions import parse_completion
from pool.openai.types import CompletionRequest


def parse(**fields: Any) -> CompletionRequest:
    return parse_completion(json.dumps({"model": "m", "prompt": "Once"} | fields).encode(), seed=1)


@pytest.mark.parametrize(
    ("prompt", "read"),
    [
        ("Once", ("Once",)),
        (["a", "b"], ("a", "b")),
        ([1, 2], ((1, 2),)),
        ([[1], [2, 3]], ((1,), (2, 3))),
    ],
)
def test_prompts_are_text_or_token_ids_one_or_many(prompt: Any, read: Any) -> None:
    assert parse(prompt=prompt).prompts == read


def test_defaults_are_openais() -> None:
    asked = parse()
    assert (asked.max_tokens, asked.n, asked.echo, asked.stream, asked.sampling.logprobs) == (16, 1, False, False, None)


def test_what_is_asked_is_honoured() -> None:
    asked = parse(max_tokens=3, n=2, best_of=2, echo=True, stream=True, temperature=0, seed=4, user="me")
    assert (asked.max_tokens, asked.n, asked.echo, asked.stream, asked.sampling.seed) == (3, 2, True, True, 4)
    assert parse(logprobs=5).sampling.logprobs == 5
    assert parse(suffix=None) == parse()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": 3}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a"] * 65}, "prompt"),
        ({"prompt": ["a", ""]}, "prompt[1]"),
        ({"prompt": ["a", 1]}, "prompt[1]"),
        ({"prompt": [True]}, "prompt[0]"),
        ({"prompt": [[]]}, "prompt[0]"),
        ({"prompt": [1, "a"]}, "prompt[1]"),
        ({"prompt": [[1], ["a"]]}, "prompt[1][0]"),
        ({"prompt": ["a"] * 33, "n": 2}, "n"),
        ({"best_of": 2}, "best_of"),
        ({"logprobs": 6}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"suffix": "x"}, "suffix"),
        ({"echo": True, "logprobs": 1}, "echo"),
        ({"echo": True, "prompt": [1]}, "echo"),
        ({"messages": []}, "messages"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(**fields)
    assert caught.value.param == param
