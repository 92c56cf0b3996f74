"""One engine process, real jobs: what comes back, and in what order."""

import hashlib
import math
import struct
from typing import Any

import msgspec

from appliance.agent.engine.protocol import Load
from iamine.ids import JobId
from iamine.wire.messages import Cancel, ChatWork, Failed, Finished, Progress, Started, Step

LONG = {"max_tokens": 900, "ignore_eos": True}


def test_a_chat_is_answered_and_ends_by_itself(shared: Any) -> None:
    answer = shared.answer("Hello")
    assert answer.end.reason == "stop"
    assert answer.text
    assert 0 < answer.end.tokens < 64
    assert answer.started.prompt_tokens == 9


def test_the_loaded_frame_describes_the_model(shared: Any) -> None:
    loaded = shared.loaded
    assert (loaded.vocabulary_tokens, loaded.context_tokens, loaded.slots, loaded.exact) == (1024, 1024, 8, True)
    assert loaded.prefill_tps > 100
    assert loaded.decode_tps > 20
    assert len(loaded.template_sha256) == 64
    assert "CPU" in loaded.build


def test_the_prompts_hash_is_over_its_ids(shared: Any, completion: Any) -> None:
    ids = (35, 40, 41, 42)
    answer = shared.answer(completion(ids), max_tokens=1)
    assert answer.started.prompt_sha256 == hashlib.sha256(struct.pack("<4i", *ids)).hexdigest()
    assert answer.started.prompt_tokens == 4


def test_one_frame_carries_every_sequence_of_a_step(shared: Any) -> None:
    jobs = [shared.job(f"{n} hello", max_tokens=100, ignore_eos=True) for n in range(8)]
    for job in jobs:
        shared.send(job)
    sizes, ends = [], 0
    while ends < 8:
        frame = shared.receive()
        if isinstance(frame, Step):
            sizes.append(len(frame.sequences))
        ends += isinstance(frame, Finished)
    assert max(sizes) == 8
    assert sum(sizes) == 8 * 100


def test_more_jobs_than_slots_wait_their_turn(shared: Any) -> None:
    answers = shared.answers([shared.job("Count from 1 to 9") for _ in range(20)])
    assert len({a.text for a in answers}) == 1
    assert all(a.end.reason == "stop" for a in answers)


def test_jobs_beyond_the_waiting_line_are_told_to_go_elsewhere(shared: Any) -> None:
    answers = shared.answers([shared.job("Hello", max_tokens=50, ignore_eos=True) for _ in range(40)])
    refused = [a.end for a in answers if isinstance(a.end, Failed)]
    assert {(f.code, f.retryable) for f in refused} == {("no_slot", True)}
    assert len(refused) <= 16
    assert sum(isinstance(a.end, Finished) for a in answers) >= 24


def test_a_repeated_beginning_is_not_computed_again(shared: Any, chat: Any) -> None:
    long = " ".join(str(n) for n in range(60))
    first = shared.answer(chat(long), max_tokens=20, ignore_eos=True)
    again = shared.answer(chat(long), max_tokens=20, ignore_eos=True)
    assert again.started.cached_tokens == again.started.prompt_tokens - 1
    assert again.ids == first.ids
    turn = shared.answer(chat(long, first.text, "and now?"))
    assert turn.started.cached_tokens >= first.started.prompt_tokens - 1


def test_stop_strings_end_the_answer_and_are_not_shown(shared: Any) -> None:
    whole = shared.answer("Hello", max_tokens=12)
    stop = whole.text[5:9]
    answer = shared.answer("Hello", max_tokens=12, stop=("never", stop))
    assert answer.text == whole.text[: whole.text.index(stop)]
    assert (answer.end.reason, answer.end.stop) == ("stop", stop)
    assert whole.ids[: len(answer.ids)] == answer.ids


def test_max_tokens_and_the_end_of_the_context_are_lengths(shared: Any, completion: Any) -> None:
    assert shared.answer("Hello", max_tokens=3).end == Finished(
        job=JobId(f"j{shared._number}"), epoch=1, tokens=3, reason="length"
    )
    full = shared.answer(completion(tuple([300] * 1000)), max_tokens=500, ignore_eos=True)
    assert (full.end.tokens, full.end.reason) == (24, "length")
    none = shared.answer("Hello", max_tokens=0)
    assert (none.end.tokens, none.end.reason, none.text) == (0, "length", "")


def test_a_prompt_as_long_as_the_context_is_refused(shared: Any, completion: Any) -> None:
    failed = shared.answer(completion(tuple([300] * 1024))).end
    assert (failed.code, failed.retryable) == ("context_overflow", False)
    assert "1024" in failed.message


def test_logprobs_are_aligned_with_the_ids(shared: Any) -> None:
    answer = shared.answer("Hello", logprobs=5, max_tokens=8, temperature=1.5, seed=3)
    assert [entry.id for entry in answer.logprobs] == answer.ids
    for entry in answer.logprobs:
        assert len(entry.top) == 5
        assert entry.logprob <= entry.top[0].logprob <= 0
        assert sum(math.exp(t.logprob) for t in entry.top) <= 1 + 1e-6
    shown = b"".join(bytes(entry.bytes) for entry in answer.logprobs).decode()
    assert shown == answer.text


def test_a_bias_decides_and_a_seed_repeats(shared: Any) -> None:
    assert shared.answer("Hello", logit_bias={300: 1000.0}, max_tokens=3).ids == [300] * 3
    a, b, c = (shared.answer("Hello", temperature=2.0, seed=s, max_tokens=20, ignore_eos=True).ids for s in (1, 1, 2))
    assert a == b != c


def test_penalties_keep_a_sequence_from_repeating_itself(shared: Any) -> None:
    free = shared.answer("Hello", max_tokens=80, ignore_eos=True)
    held = shared.answer("Hello", max_tokens=80, ignore_eos=True, presence_penalty=100.0)
    assert len(set(held.ids)) == 80 > len(set(free.ids))


def test_wrong_hashes_are_a_mismatch(shared: Any) -> None:
    for change in ({"template_sha256": "0" * 64}, {"prompt_sha256": "0" * 64}):
        answer = shared.answers([msgspec.structs.replace(shared.job(), **change)])[0]
        assert (answer.end.code, answer.end.retryable) == ("prompt_mismatch", True)


def test_bad_messages_harm_only_themselves(shared: Any) -> None:
    work = ChatWork(messages=msgspec.Raw(b'["no message"]'))
    answers = shared.answers([shared.job(), shared.job(work), shared.job()])
    assert answers[1].end.code == "bad_request"
    assert answers[0].text == answers[2].text != ""


def test_a_cancel_frees_the_slot_within_a_step(shared: Any) -> None:
    running = [shared.job("Hello", **LONG) for _ in range(8)]
    for job in running:
        shared.send(job)
    started = 0
    while started < 8:
        started += isinstance(shared.receive(), Started)
    waiting = shared.job("Count from 1 to 3", max_tokens=3)
    shared.send(Cancel(job=running[3].job, epoch=7))  # another epoch: ignored
    shared.send(waiting)
    shared.send(Cancel(job=running[3].job, epoch=1))
    steps, after, done = 0, 0, False
    while not done:
        frame = shared.receive()
        if isinstance(frame, Step):
            after += any(s.job == running[3].job for s in frame.sequences)
        done = isinstance(frame, Started) and frame.job == waiting.job
    steps = 0
    for job in running:
        shared.send(Cancel(job=job.job, epoch=1))
    finished = False
    while not finished:
        frame = shared.receive()
        if isinstance(frame, Step):
            steps += any(s.job == running[3].job for s in frame.sequences)
        finished = isinstance(frame, Finished) and frame.job == waiting.job
    assert steps == 0  # nothing of the cancelled job after its slot was given away
    assert shared.answer("Hello").end.reason == "stop"


def test_a_cancel_that_overtakes_its_job_still_counts(shared: Any) -> None:
    job = shared.job("Hello", **LONG)
    shared.send(Cancel(job=job.job, epoch=1))
    shared.send(job)
    assert shared.answer("Hello").end.reason == "stop"  # Answer fails on frames of unknown jobs


def test_a_long_prompt_tells_its_progress_and_keeps_others_running(start: Any, mote: Load, completion: Any) -> None:
    client = start(msgspec.structs.replace(mote, max_step_s=0.002, progress_s=0.005))
    other = client.job("Hello", **LONG)
    long = client.job(completion(tuple([301] * 1000)), max_tokens=2)
    client.send(other)
    client.send(long)
    progress: list[int] = []
    steps = ends = 0
    while ends < 2:
        frame = client.receive()
        if isinstance(frame, Progress):
            assert (frame.job, frame.total_tokens) == (long.job, 1000)
            progress.append(frame.done_tokens)
        steps += isinstance(frame, Step) and not ends and bool(progress)
        ends += isinstance(frame, Finished)
    assert len(progress) >= 2
    assert progress == sorted(progress)
    assert steps > 2


def test_big_frames_pass(shared: Any, completion: Any) -> None:
    text = "x " * 1_500_000
    failed = shared.answer(completion(text)).end
    assert failed.code == "context_overflow"
    assert shared.answer("Hello").text
