"""What is read off a request."""

import json
from typing import Any

import pytest

from pool.openai.chat import parse_chat
from pool.openai.completions import parse_completion
from pool.openai.types import ChatRequest, CompletionRequest
from pool.routing import features as rules
from pool.routing.features import Features, asked_text, language, prompt_tokens


def chat(*turns: tuple[str, str], **fields: Any) -> ChatRequest:
    messages = [{"role": role, "content": content} for role, content in turns]
    return parse_chat(json.dumps({"model": "m", "messages": messages} | fields).encode(), seed=1)


def completion(prompt: Any) -> CompletionRequest:
    return parse_completion(json.dumps({"model": "m", "prompt": prompt}).encode(), seed=1)


def features(request: ChatRequest | CompletionRequest, *, asked_again: bool = False) -> Features:
    return rules.features(request, asked_text(request), asked_again=asked_again)


def test_a_greeting_asks_for_nothing() -> None:
    found = features(chat(("user", "Hello")))
    assert found == Features(
        prompt_tokens=found.prompt_tokens, tools=False, code=False, hard=False, task=False, language="en", asked_again=False
    )
    assert found.prompt_tokens < 20


def test_only_what_the_user_said_last_tells_what_is_asked() -> None:
    request = chat(("system", "You write code."), ("user", "Prove it"), ("assistant", "def f(): ..."), ("user", "thanks"))
    assert asked_text(request) == "thanks"
    assert not features(request).code
    assert not features(request).hard
    assert asked_text(chat(("system", "Be nice."))) == ""


def test_tools_count_and_so_does_who_asks_again() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    found = features(chat(("user", "x"), tools=tools), asked_again=True)
    assert found.tools
    assert found.asked_again
    assert not features(chat(("user", "x"), tools=tools, tool_choice="none")).tools


def test_many_words_are_a_task() -> None:
    assert not features(chat(("user", "word " * 30))).task
    assert features(chat(("user", "word " * 31))).task


def test_the_task_of_a_long_text_stands_at_either_end() -> None:
    assert features(chat(("user", "Prove this. " + "x y " * 5000))).hard
    assert features(chat(("user", "x y " * 5000 + " prove it"))).hard
    assert not features(chat(("user", "x y " * 2500 + " prove it " + "x y " * 2500))).hard


def test_a_raw_completion_is_read_too() -> None:
    assert asked_text(completion("def f(x):")) == "def f(x):"
    assert features(completion("def f(x):")).code
    assert asked_text(completion([1, 2, 3])) == ""
    assert prompt_tokens(completion([1, 2, 3])) == 3
    assert prompt_tokens(completion(["a" * 40, "b" * 80])) == 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "en"),
        ("12 + 4 = ?", "en"),
        ("where is the cat", "en"),
        ("où est la gare et comment y aller", "fr"),
        ("wo ist der Bahnhof und wie komme ich hin", "de"),
        ("¿dónde está la estación y cómo llego?", "es"),
        ("你好", "zh"),
        ("用 Python 写代码", "zh"),
        ("こんにちは、お元気ですか", "other"),
        ("東京の天気はどうですか", "other"),
        ("Привет, как дела", "other"),
    ],
)
def test_the_language_is_told_by_script_and_common_words(text: str, expected: str) -> None:
    assert language(text) == expected
