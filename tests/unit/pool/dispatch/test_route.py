"""From the name that a client sends to the model that answers."""

import json
from typing import Any

import pytest
from fakes.hub import card

from iamine.ids import AccountId, ModelId
from pool.dispatch.route import Router, Routing
from pool.errors import ContextTooLong, InvalidRequest, ModelNotFound
from pool.openai.chat import parse_chat
from pool.openai.completions import parse_completion
from pool.openai.types import ChatRequest, CompletionRequest
from pool.routing.fallback import Stay
from pool.routing.types import ModelCard

ANN = AccountId("acc_ann")
TIERS: Any = {"mini": "micro", "mid": "medium", "big": "large"}
MINI, MID, BIG = card("mini"), card("mid"), card("big")


def chat(model: str, text: str = "Hello", **fields: Any) -> ChatRequest:
    body = {"model": model, "messages": [{"role": "user", "content": text}]} | fields
    return parse_chat(json.dumps(body).encode(), seed=1)


def completion(model: str, prompt: Any = "Once") -> CompletionRequest:
    return parse_completion(json.dumps({"model": model, "prompt": prompt}).encode(), seed=1)


def made(waits: dict[str, float | None] | None = None, **routing: Any) -> Router:
    """A router; a model whose wait is not given has a free slot."""
    known = waits or {}
    return Router(Routing(model_tiers=TIERS, **routing), lambda model: known.get(model, 0.0))


def routed(
    request: ChatRequest | CompletionRequest, *cards: ModelCard, now: float = 0.0, router: Router | None = None, **routing: Any
) -> tuple[str, str, bool, str]:
    router = router or made(**routing)
    found, chosen = router.route(request, cards, ANN, now)
    return found.model, chosen.tier, chosen.degraded, chosen.reason


def test_a_models_own_name_is_that_model() -> None:
    assert routed(chat("mid"), MINI, MID) == ("mid", "medium", False, "asked by name")


def test_a_tiers_name_is_a_model_of_the_tier_else_the_nearest() -> None:
    assert routed(chat("iamine-medium"), MINI, MID, BIG) == ("mid", "medium", False, "asked by tier")
    assert routed(chat("iamine-small"), MINI, MID) == ("mid", "medium", False, "asked by tier; no small model for it now")
    assert routed(chat("iamine-large"), MINI, MID)[:3] == ("mid", "medium", True)
    assert routed(chat("iamine-large"), MINI, card("big", workers=0))[:3] == ("mini", "micro", True)


def test_a_tier_that_is_busy_for_long_is_passed_over() -> None:
    name = chat("iamine-medium")
    assert routed(name, MINI, MID, BIG, waits={"mid": 30.0})[:3] == ("big", "large", False)
    assert routed(name, MINI, MID, BIG, waits={"mid": 30.0, "big": None})[:3] == ("mini", "micro", True)
    assert routed(name, MINI, MID, BIG, waits={"mid": 5.0})[0] == "mid"
    assert routed(chat("mid"), MINI, MID, waits={"mid": 30.0})[0] == "mid", "asked by its own name"


def test_auto_fits_the_request() -> None:
    assert routed(chat("iamine-auto"), MINI, MID, BIG) == ("mini", "micro", False, "short talk")
    assert routed(chat("iamine-auto", "Prove it"), MINI, MID, BIG) == ("mid", "medium", False, "reasoning")
    assert routed(completion("iamine-auto", "Prove it"), MINI, MID)[0] == "mid"
    assert routed(chat("iamine-auto"), MINI, MID, quality_floor="medium")[0] == "mid"
    assert routed(chat("iamine-auto"), MINI, quality_floor="medium")[:3] == ("mini", "micro", True)


def test_asked_again_within_half_a_minute_is_answered_by_the_next_tier() -> None:
    router = made()
    assert routed(chat("iamine-auto"), MINI, MID, now=0.0, router=router)[0] == "mini"
    assert routed(chat("iamine-auto"), MINI, MID, now=9.0, router=router) == ("mid", "medium", False, "asked again")
    assert routed(chat("iamine-auto"), MINI, MID, now=99.0, router=router)[0] == "mini"


def test_an_alias_is_another_name_and_never_hides_a_model() -> None:
    aliases = {"gpt-4o": "iamine-large", "small": "mid", "mini": "big", "iamine-auto": "big"}
    assert routed(chat("gpt-4o"), MINI, BIG, aliases=aliases)[0] == "big"
    assert routed(chat("small"), MID, aliases=aliases) == ("mid", "medium", False, "asked by name")
    assert routed(chat("mini"), MINI, BIG, aliases=aliases)[0] == "mini"
    assert routed(chat("iamine-auto"), MINI, BIG, aliases=aliases)[0] == "mini"
    with pytest.raises(ModelNotFound):
        routed(chat("gpt-4o"), MINI)


def test_a_model_that_nobody_offers_now_is_stood_in_for() -> None:
    away = card("mid", workers=0)
    assert routed(chat("mid"), MINI, away) == ("mini", "micro", True, "no worker offers mid now")
    assert routed(chat("mid"), MINI, away, BIG)[:3] == ("big", "large", False)
    assert routed(chat("mid"), away, card("big", workers=0))[0] == "mid", "waits for what was asked"
    assert routed(chat("mid"), MINI, away, substitute=False)[0] == "mid"


def test_what_was_written_for_one_model_waits_for_it() -> None:
    away = card("mid", workers=0)
    assert routed(completion("mid"), MINI, away)[0] == "mid"
    assert routed(chat("mid", logit_bias={"7": 1}), MINI, away)[0] == "mid"


def test_tools_go_to_a_model_that_can_call_them() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    mute = card("mid", tool_format="")
    assert routed(chat("iamine-medium", tools=tools), MINI, mute)[:3] == ("mini", "micro", True)


def test_without_any_worker_ever_a_tier_waits_under_its_own_name_and_an_unknown_name_is_a_404() -> None:
    assert routed(chat("iamine-auto")) == ("iamine-auto", "micro", False, "short talk")
    with pytest.raises(ModelNotFound):
        routed(chat("nobody"), MINI)
    with pytest.raises(ModelNotFound):
        routed(chat("iamine-auto"), card("e", kind="embedding"))
    with pytest.raises(ModelNotFound):
        routed(chat("iamine-auto"), card("raw", kind="completion"))
    assert routed(completion("iamine-auto"), card("raw", kind="completion"))[0] == "raw"


def test_nobody_stands_in_for_an_embedder() -> None:
    embedder = card("e", kind="embedding", workers=0)
    router = made(aliases={"text-embedding-3-small": "e"})
    assert router.embedding([MINI, embedder], ModelId("text-embedding-3-small")) is embedder
    with pytest.raises(InvalidRequest):
        router.embedding([MINI, embedder], ModelId("mini"))


def test_the_names_that_can_be_served_now() -> None:
    router = made()
    cards = [MINI, card("mid", workers=0), BIG, card("e", kind="embedding")]
    assert [one.name for one in router.pseudo(cards)] == ["iamine-auto", "iamine-micro", "iamine-large"]
    assert router.pseudo(cards)[0].cards == (MINI, BIG)
    assert router.pseudo([]) == []


def stay(model: str, *, wait_s: float | None = None, left_s: float = 90.0, named: bool = False) -> Stay:
    return Stay(model=ModelId(model), wait_s=wait_s, left_s=left_s, named=named)


def test_where_a_waiting_job_moves_and_how_that_is_told() -> None:
    router, away = made(), card("mid", workers=0)
    by_tier = router.route(chat("iamine-medium"), [MINI, MID], ANN, 0.0)[1]
    moved = router.move(chat("iamine-medium"), [MINI, away], by_tier, stay("mid"), 0.0)
    assert moved is not None
    assert (moved[0].model, moved[1].degraded, moved[1].reason) == ("mini", True, "no worker offers mid now")
    moved = router.move(chat("iamine-medium"), [MID, BIG], by_tier, stay("mid", wait_s=60.0), 0.0)
    assert moved is not None
    assert (moved[0].model, moved[1].degraded, moved[1].reason) == ("big", False, "the wait for mid was long")
    by_name = router.route(chat("mid"), [MINI, MID], ANN, 0.0)[1]
    assert router.move(chat("mid"), [MINI, away], by_name, stay("mid", named=True), 0.0) is not None
    assert router.move(chat("mid", logit_bias={"7": 1}), [MINI, away], by_name, stay("mid", named=True), 0.0) is None
    assert made(substitute=False).move(chat("mid"), [MINI, away], by_name, stay("mid", named=True), 0.0) is None
    assert router.move(completion("mid"), [MINI, away], by_name, stay("mid", named=True), 0.0) is None


def test_who_goes_on_from_a_text() -> None:
    router = made()
    chosen = router.route(chat("iamine-medium"), [MINI, MID], ANN, 0.0)[1]

    def heir(*cards: ModelCard, request: Any = None, tools: bool = False) -> str | None:
        found = router.heir(request or chat("iamine-medium"), cards, chosen, ModelId("mid"), tools=tools)
        return None if found is None else found[0].model

    assert heir(MINI, MID, BIG) == "big"
    assert heir(MINI, card("big", workers=0)) == "mini"
    assert heir(MID) is None
    assert heir(card("big", tool_format="harmony")) is None
    assert (heir(card("big", tool_format="")), heir(card("big", tool_format=""), tools=True)) == ("big", None)
    assert heir(BIG, request=completion("iamine-medium")) is None


def test_who_holds_a_longer_prompt() -> None:
    router, long = made(), card("big", context_tokens=9000, workers=0)
    chosen = router.route(chat("iamine-micro"), [MINI], ANN, 0.0)[1]
    found = router.roomier(chat("iamine-micro"), [MINI, long], chosen, MINI.context_tokens)
    assert found is not None and found[0] is long
    assert router.roomier(chat("iamine-micro"), [MINI, BIG], chosen, MINI.context_tokens) is None
    tools = [{"type": "function", "function": {"name": "f"}}]
    mute = card("big", context_tokens=9000, tool_format="")
    assert router.roomier(chat("iamine-micro", tools=tools), [MINI, mute], chosen, MINI.context_tokens) is None
    by_name = router.route(chat("mini"), [MINI], ANN, 0.0)[1]
    assert made(substitute=False).roomier(chat("mini"), [MINI, long], by_name, MINI.context_tokens) is None


def test_effort_goes_to_a_model_that_reasons() -> None:
    reasons = card("big", reasoning_format="think")
    assert routed(chat("iamine-micro", reasoning_effort="high"), MINI, reasons)[0] == "big"
    assert routed(chat("iamine-micro", reasoning_effort="none"), MINI, reasons)[0] == "mini"
    assert routed(chat("iamine-micro", reasoning_effort="high"), MINI)[0] == "mini", "to be refused by name"


def test_what_no_known_model_can_hold_is_refused_at_once() -> None:
    long = "x" * (MINI.context_tokens * 256)
    for request, param in ((chat("iamine-auto", long), "messages"), (completion("mini", long), "prompt")):
        with pytest.raises(ContextTooLong) as caught:
            routed(request, MINI, card("mid", workers=0))
        assert caught.value.param == param
    assert routed(chat("iamine-auto", long), MINI, card("big", workers=0, context_tokens=10**6))[0] == "big", "it is waited for"
