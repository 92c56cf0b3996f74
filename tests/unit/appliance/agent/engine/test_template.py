"""Templates render as Hugging Face does, and none can hang or fill the engine."""

import time
from typing import Any

import pytest

from appliance.agent.engine import template as module
from appliance.agent.engine.template import CHATML, ChatTemplate, TemplateFailed, TimeIsUp, time_limit

HELLO = [{"role": "user", "content": "Hello <b>"}]


def render(source: str, messages: Any = None, tools: Any = (), now: float = 0.0) -> str:
    return ChatTemplate(source, bos="<s>", eos="</s>").render(messages or HELLO, tools, now)


def test_chatml_is_what_models_without_a_template_get() -> None:
    assert render(CHATML) == "<|im_start|>user\nHello <b><|im_end|>\n<|im_start|>assistant\n"


def test_blocks_leave_no_lines_or_indent_behind() -> None:
    assert render("{% if true %}\n  {% if true %}\nx\n  {% endif %}\n{% endif %}\n") == "x\n"


def test_tojson_is_plain_json() -> None:
    assert render("{{ messages[0] | tojson }}") == '{"role": "user", "content": "Hello <b>"}'
    assert render("{{ {'a': 'é'} | tojson(indent=1) }}") == '{\n "a": "é"\n}'


def test_the_date_is_the_jobs_in_utc() -> None:
    assert render("{{ strftime_now('%Y-%m-%d %H') }}", now=86400 * 365.0 + 3600) == "1971-01-01 01"


def test_no_tools_are_none_and_the_models_tokens_are_known() -> None:
    assert render("{{ tools is none }}{{ bos_token }}{{ eos_token }}") == "True<s></s>"
    assert render("{{ tools[0].a }}", tools=[{"a": 7}]) == "7"


def test_loop_controls_work() -> None:
    assert render("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}") == "01"


def test_whether_a_template_takes_arguments_as_text_is_read_from_it() -> None:
    assert ChatTemplate("{% if c.arguments is string %}x{% endif %}").wants_argument_text
    assert not ChatTemplate(CHATML).wants_argument_text


@pytest.mark.parametrize(
    "source",
    [
        "{{ raise_exception('no system') }}",
        "{{ messages[3].content.x.y }}",
        "{{ 1 / 0 }}",
        "{{ messages + 1 }}",
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.__class__.__init__.__globals__ }}",
        "{% for i in range(10**9) %}x{% endfor %}",
        "{{ 'a' * 10**10 }}",
        "{{ [0] * 10**9 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ strftime_now(1) }}",
    ],
)
def test_a_template_that_goes_wrong_is_an_error_with_a_reason(source: str) -> None:
    with pytest.raises(TemplateFailed):
        render(source)


@pytest.mark.parametrize("source", ["{% if %}", "{{", "{% for %}", "x" * (module.MAX_TEMPLATE_CHARS + 1)])
def test_a_broken_or_huge_template_does_not_compile(source: str) -> None:
    with pytest.raises(TemplateFailed):
        ChatTemplate(source)


def test_products_of_ordinary_size_are_allowed() -> None:
    assert render("{{ '-' * 3 }}{{ 6 * 7 }}{{ 2 ** 10 }}") == "---421024"


def test_an_endless_template_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENDER_S", 0.05)
    began = time.monotonic()
    with pytest.raises(TemplateFailed, match="longer than"):
        render("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}")
    assert time.monotonic() - began < 2.0


def test_endless_output_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RENDERED_CHARS", 1000)
    with pytest.raises(TemplateFailed, match="characters"):
        render("{% for i in range(100000) %}xxxx{% endfor %}")


def test_after_a_time_limit_no_timer_is_left() -> None:
    with pytest.raises(TimeIsUp), time_limit(0.01):
        while True:
            pass
    with time_limit(1.0):
        pass


@pytest.mark.parametrize(
    ("source", "effort", "told"),
    [
        ("{{ enable_thinking is defined }}", "", "False"),
        ("{{ enable_thinking }}", "none", "False"),
        ("{{ enable_thinking }}", "high", "True"),
        ("{{ enable_thinking }}", "low", None),
        ("{{ reasoning_effort }}", "low", "low"),
        ("{{ reasoning_effort }}", "none", None),
        ("{{ reasoning_effort }}", "xhigh", None),
        ("{{ reasoning_effort }}{{ enable_thinking }}", "medium", "mediumTrue"),
        ("x", "high", None),
    ],
)
def test_how_much_to_reason(source: str, effort: str, told: str | None) -> None:
    template = ChatTemplate(source)
    if told is not None:
        assert template.render(HELLO, (), 0.0, effort) == told
    else:
        with pytest.raises(TemplateFailed, match="reasoning_effort"):
            template.render(HELLO, (), 0.0, effort)
