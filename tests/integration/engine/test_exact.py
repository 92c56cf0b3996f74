"""Exact mode: serial, batched and continued answers are the same, token for token."""

import random
from typing import Any

import msgspec
import pytest

from iamine.wire.messages import Cancel, CompletionWork

TOKENS = 40
WORDS = ["blue", "horse", "river", "Count", "from", "1", "to", "20", "What", "is", "weather", "in", "Paris", "Repeat", "me"]
GREEDY = {"max_tokens": TOKENS, "ignore_eos": True}
SAMPLED = {**GREEDY, "temperature": 1.0}
FILTERED = {**GREEDY, "temperature": 0.8, "top_p": 0.9, "top_k": 40, "min_p": 0.01, "frequency_penalty": 0.5}


def prompts(count: int) -> list[str]:
    choose = random.Random(5)
    return [" ".join(choose.choice(WORDS) for _ in range(choose.randint(1, 50))) for _ in range(count)]


@pytest.mark.parametrize("options", [GREEDY, SAMPLED, FILTERED], ids=["greedy", "sampled", "filtered"])
def test_64_requests_through_8_slots_equal_their_serial_answers(shared: Any, options: dict[str, Any]) -> None:
    jobs = [(text, {**options, "seed": n}) for n, text in enumerate(prompts(64))]
    serial = shared.answers([shared.job(text, **o) for text, o in jobs], at_once=1)
    batched = shared.answers([shared.job(text, **o) for text, o in jobs], at_once=16)
    assert [a.ids for a in batched] == [a.ids for a in serial]
    assert [a.text for a in batched] == [a.text for a in serial]
    assert all(a.end.tokens == TOKENS for a in serial)


@pytest.mark.parametrize("options", [GREEDY, FILTERED], ids=["greedy", "filtered"])
def test_continued_at_any_token_the_answer_is_the_same(shared: Any, options: dict[str, Any]) -> None:
    options = {**options, "stop": ("zq",), "logprobs": 1}
    whole = shared.answer("Count from 1 to 40 please", **options)
    jobs = [shared.job("Count from 1 to 40 please", prefix=tuple(whole.ids[:k]), **options) for k in range(TOKENS + 1)]
    shown = [0]
    for entry in whole.logprobs:
        shown.append(shown[-1] + len(bytes(entry.bytes)))
    for k, answer in enumerate(shared.answers(jobs, at_once=12)):
        assert answer.ids == whole.ids[k:]
        assert answer.logprobs == whole.logprobs[k:]
        assert whole.text.endswith(answer.text)
        assert answer.end.tokens == TOKENS


def test_an_answer_that_begins_in_another_engine_goes_on_here(shared: Any, start: Any, mote: Any) -> None:
    other = start(mote)
    whole = shared.answer("river stone", **SAMPLED, seed=77)
    rest = other.answer("river stone", **SAMPLED, seed=77, prefix=tuple(whole.ids[:23]))
    assert rest.ids == whole.ids[23:]
    assert rest.started.prompt_sha256 == whole.started.prompt_sha256


def test_reused_memory_changes_no_token(start: Any, mote: Any) -> None:
    client, options = start(mote), {**GREEDY, "max_tokens": 30}
    texts = [" ".join(prompts(1)[0].split()[:n]) for n in range(3, 15)]
    warm = [client.answer(text, **options) for text in texts]
    assert sum(a.started.cached_tokens for a in warm) > 0
    for text, answer in list(zip(texts, warm, strict=True))[::6]:
        assert start(mote).answer(text, **options).ids == answer.ids


def test_a_beginning_read_for_one_answer_serves_the_others_and_changes_no_token(start: Any, mote: Any) -> None:
    begin = " ".join(prompts(1)[0].split() * 4)[:300]
    texts = [f"{begin} {word}" for word in WORDS[:8]]
    alone = [start(mote).answer(text, **SAMPLED, seed=3).ids for text in texts[:3]]
    client = start(mote)
    together = client.answers([client.job(text, **SAMPLED, seed=3) for text in texts])
    assert [a.ids for a in together[:3]] == alone
    read = [a.started.prompt_tokens - a.started.cached_tokens for a in together]
    assert read[0] == together[0].started.prompt_tokens
    assert all(count < 20 for count in read[1:])
    assert all(a.end.tokens == TOKENS for a in together)


def test_who_waits_for_a_beginning_goes_on_when_its_reader_is_cancelled(start: Any, mote: Any) -> None:
    client = start(msgspec.structs.replace(mote, max_step_s=0.001))
    begin = " ".join(WORDS * 14)
    first, second = client.job(begin + " one"), client.job(begin + " two", **GREEDY)
    client.send(first)
    client.send(second)
    client.send(Cancel(job=first.job, epoch=first.epoch))
    whole = start(mote).answer(begin + " two", **GREEDY)
    ids: list[int] = []
    while len(ids) < TOKENS:
        frame = client.receive()
        ids += [i for s in getattr(frame, "sequences", ()) if s.job == second.job for i in s.ids]
    assert ids == whole.ids


@pytest.mark.parametrize("options", [GREEDY, {**FILTERED, "logprobs": 2}], ids=["greedy", "filtered"])
def test_guesses_change_the_number_of_steps_and_no_token(start: Any, mote: Any, options: dict[str, Any]) -> None:
    text = "Repeat me: " + " ".join(["1 2 3 4 5 6 7 8 9 10 11 12"] * 4)
    with_, without = start(mote), start(msgspec.structs.replace(mote, guess=False))
    for seed in range(4):
        one, other = (client.answer(text, **options, seed=seed) for client in (with_, without))
        assert (one.ids, one.text, one.logprobs) == (other.ids, other.text, other.logprobs)
        assert one.end == msgspec.structs.replace(other.end, job=one.end.job)
        assert other.steps == TOKENS
        if options is GREEDY:  # how many steps less depends on this machine
            assert one.steps < TOKENS


def test_after_a_wrong_guess_memory_holds_what_was_said(start: Any, mote: Any) -> None:
    client = start(mote)
    talk = " ".join(["river stone horse"] * 12)
    for seed in range(6):
        first = client.answer(CompletionWork(prompt=talk), **SAMPLED, seed=seed)
        again = client.answer(CompletionWork(prompt=talk), **SAMPLED, seed=seed, prefix=tuple(first.ids[:30]))
        assert again.ids == first.ids[30:]


def test_a_prefix_with_the_end_in_it_or_unknown_ids_is_refused(shared: Any) -> None:
    for prefix in ((300, 2), (0,), (1024,), (-1,)):
        failed = shared.answer("Hello", prefix=prefix).end
        assert (failed.code, failed.retryable) == ("bad_request", False)


def test_a_prefix_that_is_complete_ends_at_once(shared: Any) -> None:
    whole = shared.answer("Hello", max_tokens=5)
    again = shared.answer("Hello", max_tokens=5, prefix=tuple(whole.ids))
    assert (again.ids, again.end.reason, again.end.tokens) == ([], "length", 5)
