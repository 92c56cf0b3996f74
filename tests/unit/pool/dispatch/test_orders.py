"""From requests to orders, and from a worker's refusal back to a parameter."""

import json
from typing import Any

import pytest
from fakes.hub import card

from iamine.ids import AccountId, JobId
from iamine.wire.messages import ChatWork
from pool.dispatch.orders import Asker, chat_orders, completion_orders, formats, name_param
from pool.errors import AnswerLost, ContextTooLong, InvalidRequest
from pool.openai.chat import parse_chat
from pool.openai.completions import parse_completion
from pool.routing.types import JobOrder
from pool.toolcalls.formats import Formats

ASKER = Asker(job=JobId("job_1"), account=AccountId("acc_1"), wall_time_s=1.0, deadline_s=2.0)
TOOLS = [{"type": "function", "function": {"name": "f"}}]


def chat_order(**fields: Any) -> JobOrder:
    body = {"model": "mote", "messages": [{"role": "user", "content": "Hello"}]} | fields
    return chat_orders(parse_chat(json.dumps(body).encode(), seed=1), card(), ASKER, 100)[0]


def text_order() -> JobOrder:
    body = {"model": "mote", "prompt": "Once"}
    return completion_orders(parse_completion(json.dumps(body).encode(), seed=1), card(), ASKER, 100)[0]


@pytest.mark.parametrize(
    ("error", "order", "param"),
    [
        (ContextTooLong("x"), chat_order(), "messages"),
        (ContextTooLong("x"), text_order(), "prompt"),
        (InvalidRequest("x"), chat_order(grammar="root ::= [a]"), "grammar"),
        (InvalidRequest("x"), chat_order(response_format={"type": "json_object"}), "response_format"),
        (InvalidRequest("x"), chat_order(tools=TOOLS, tool_choice="required"), "tools"),
        (InvalidRequest("x"), chat_order(), None),
        (InvalidRequest("x", param="stop"), chat_order(grammar="root ::= [a]"), "stop"),
        (AnswerLost("x"), chat_order(grammar="root ::= [a]"), None),
    ],
)
def test_a_workers_refusal_names_its_parameter(error: Any, order: JobOrder, param: str | None) -> None:
    name_param(error, order)
    assert error.param == param


def test_a_foreign_error_is_left_alone() -> None:
    name_param(ValueError("x"), chat_order())


def test_a_model_of_unknown_vocabulary_takes_any_token() -> None:
    body = json.dumps({"model": "mote", "prompt": [5000], "logit_bias": {"5000": 1}}).encode()
    (order,) = completion_orders(parse_completion(body, seed=1), card(vocabulary_tokens=0), ASKER, 100)
    assert order.job == ASKER.job
    assert order.estimated_prompt_tokens == 1


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ({}, Formats(tool="harmony", reasoning="harmony")),
        ({"tools": TOOLS}, Formats(tool="harmony", reasoning="harmony")),
        ({"response_format": {"type": "json_object"}}, Formats()),
        ({"tools": TOOLS, "tool_choice": "required"}, Formats()),
        ({"tools": TOOLS, "response_format": {"type": "json_object"}}, Formats(tool="bare")),
    ],
)
def test_a_grammar_leaves_no_room_for_reasoning(fields: dict[str, Any], read: Formats) -> None:
    body = {"model": "mote", "messages": [{"role": "user", "content": "Hello"}]} | fields
    request = parse_chat(json.dumps(body).encode(), seed=1)
    assert formats(request, card(tool_format="harmony", reasoning_format="harmony")) == read


def test_effort_needs_a_model_that_reasons() -> None:
    asker = Asker(job=JobId("j"), account=AccountId("a"), wall_time_s=0.0, deadline_s=0.0)

    def effort(effort: str, reasoning: str) -> str:
        body = {"model": "mote", "messages": [{"role": "user", "content": "Hi"}], "reasoning_effort": effort}
        (order,) = chat_orders(parse_chat(json.dumps(body).encode(), seed=1), card(reasoning_format=reasoning), asker, 10)
        assert isinstance(order.work, ChatWork)
        return order.work.effort

    assert (effort("none", ""), effort("none", "think"), effort("high", "think")) == ("", "none", "high")
    with pytest.raises(InvalidRequest) as caught:
        effort("high", "")
    assert caught.value.param == "reasoning_effort"
    body = {"model": "mote", "messages": [{"role": "user", "content": "Hi"}], "reasoning_effort": "low"}
    (order,) = chat_orders(parse_chat(json.dumps(body).encode(), seed=1), card(reasoning_format="think"), asker, 10)
    refusal = InvalidRequest("reasoning_effort 'low' cannot be told to this model")
    name_param(refusal, order)
    assert refusal.param == "reasoning_effort"
