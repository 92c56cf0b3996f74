"""Whatever an answer must keep across workers: grammar, stop text, penalties, logprobs, calls, samples, plain answers."""

import asyncio
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from answers import SLOW_TPS, Killer, leave, metric, open_client
from house import House, wait_for
from openai import AsyncOpenAI

ROUNDS = 2
PASSES = 5  # a short answer may happen to live between two kills: its kind is asked again
COUNT: Any = [{"role": "user", "content": "count from 7 to 67"}]
TOOL_USE: Any = [{"role": "user", "content": "What is the weather in Paris?"}]
GREEDY = {"model": "mote", "messages": COUNT, "temperature": 0}
LONG = {**GREEDY, "max_tokens": 260, "extra_body": {"ignore_eos": True}}
SCHEMA = {
    "type": "object",
    "properties": {"numbers": {"type": "array", "items": {"type": "integer", "maximum": 99}, "minItems": 60, "maxItems": 70}},
    "required": ["numbers"],
    "additionalProperties": False,
}
LIST = {"type": "function", "function": {"name": "keep", "parameters": SCHEMA}}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
STRICT = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}
TIRED = {"frequency_penalty": 0.7, "presence_penalty": 0.3, "extra_body": {"ignore_eos": True, "repeat_penalty": 1.1}}
KINDS: dict[str, dict[str, Any]] = {
    "grammar": {**GREEDY, "response_format": STRICT},
    "gbnf": {**LONG, "extra_body": {"grammar": 'root ::= ([a-d] [e-h] " "){150,200}'}},
    "stop": {**LONG, "stop": [" 66", "never"]},
    "penalties": {**LONG, **TIRED},
    "bias": {**LONG, "logit_bias": {"300": 1.5, "301": -100}},
    "logprobs": {**LONG, "logprobs": True, "top_logprobs": 3},
    "seeded": {**LONG, "temperature": 1.3, "top_p": 0.95, "seed": 7},
    "samples": {**LONG, "temperature": 1.0, "seed": 11, "n": 3},
    "tools": {**GREEDY, "messages": TOOL_USE, "tools": [WEATHER]},
    "required tool": {**GREEDY, "tools": [LIST], "tool_choice": "required"},
}  # fmt: skip


@dataclass
class Kept:
    """What must be the same, however many workers gave it."""

    texts: dict[int, str] = field(default_factory=dict)
    calls: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    logprobs: dict[int, list[Any]] = field(default_factory=dict)
    ends: dict[int, str] = field(default_factory=dict)
    tokens: int = 0


@dataclass
class Got:
    """An answer, and over how many workers it went."""

    kept: Kept
    moved: bool


async def streamed(client: AsyncOpenAI, wanted: dict[str, Any]) -> Got:
    kept, segments = Kept(), list[Any]()
    async for chunk in await client.chat.completions.create(**wanted, stream=True, stream_options={"include_usage": True}):
        for choice in chunk.choices:
            kept.texts[choice.index] = kept.texts.get(choice.index, "") + (choice.delta.content or "")
            for call in choice.delta.tool_calls or []:
                name, arguments = kept.calls.get((choice.index, call.index), ["", ""])
                assert call.function is not None
                kept.calls[choice.index, call.index] = [
                    name + (call.function.name or ""),
                    arguments + (call.function.arguments or ""),
                ]
            _keep(kept, choice)
        kept.tokens = chunk.usage.completion_tokens if chunk.usage else kept.tokens
        segments = ((chunk.model_extra or {}).get("x_iamine") or {}).get("segments", segments)
    return Got(kept=kept, moved=_moved(segments))


async def plain(client: AsyncOpenAI, wanted: dict[str, Any]) -> Got:
    answer = await client.chat.completions.create(**wanted)
    kept = Kept(tokens=answer.usage.completion_tokens if answer.usage else 0)
    for choice in answer.choices:
        kept.texts[choice.index] = choice.message.content or ""
        for number, call in enumerate(choice.message.tool_calls or []):
            assert call.type == "function"
            kept.calls[choice.index, number] = [call.function.name, call.function.arguments]
        _keep(kept, choice)
    return Got(kept=kept, moved=_moved((answer.model_extra or {})["x_iamine"]["segments"]))


def _keep(kept: Kept, choice: Any) -> None:
    """Log probabilities and the reason of the end: alike in a chunk and in a whole answer."""
    if choice.logprobs and choice.logprobs.content:
        entries = [
            (one.token, one.logprob, [(top.token, top.logprob) for top in one.top_logprobs]) for one in choice.logprobs.content
        ]
        kept.logprobs.setdefault(choice.index, []).extend(entries)  # fmt: skip
    if choice.finish_reason:
        kept.ends[choice.index] = choice.finish_reason


def _moved(segments: list[Any]) -> bool:
    """Whether one choice came from more than one worker."""
    return any(count > 1 for count in Counter(segment.get("choice", 0) for segment in segments).values())


async def all_kinds(house: House, rounds: int, kinds: Collection[str] = KINDS.keys()) -> dict[str, Got]:
    """Every one of these kinds, streamed and plain, at the same time."""
    async with open_client(house) as client:
        asked = {
            f"{name}, {how.__name__} {number}": how(client, wanted)
            for name, wanted in KINDS.items()
            if name in kinds
            for how in (streamed, plain)
            for number in range(rounds)
        }
        return dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))


def test_every_kind_of_answer_is_the_same_however_many_workers_gave_it(house: House) -> None:
    house.workers = 0
    house.start()
    fast = house.worker("fast")
    house.wait_ready(workers=1)
    whole = asyncio.run(all_kinds(house, 1))
    leave(house, fast)
    for name, one in whole.items():
        assert one.kept.tokens > 10 and not one.moved, name
        if "tool" in name:
            assert one.kept.calls and set(one.kept.ends.values()) <= {"tool_calls", "stop"}, name
    killer = Killer(house)
    for number in range(3):
        killer.start(f"agent{number}")
    house.wait_ready(workers=3)
    missing, asked, answers = set(KINDS) - {"tools"}, set(KINDS), 0  # a call of mote's own is too short to move
    with killer:
        for _ in range(PASSES):
            seen = asyncio.run(all_kinds(house, ROUNDS, asked))
            pairs = {name: (one.kept, whole[f"{name[:-1]}0"].kept) for name, one in seen.items()}
            assert {name: pair for name, pair in pairs.items() if pair[0] != pair[1]} == {}
            missing -= {name.split(",")[0] for name, one in seen.items() if one.moved}
            asked, answers = missing, answers + len(seen)
            if not missing:
                break
    print(
        f"{answers} answers of {len(KINDS)} kinds at {SLOW_TPS} tokens/s, {killer.kills} kills; never moved: {sorted(missing)}"
    )
    assert missing == set(), "a kind that never moved proves nothing"
    assert metric(house, "iamine_hub_breaches") == 0
    wait_for(lambda: house.status()["running"] == 0 and house.status()["queued"] == 0, 10, "no slot stays taken")
