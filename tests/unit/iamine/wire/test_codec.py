"""Bytes to messages: what was said is what is heard, and 10 000 generated frames break nothing."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iamine.ids import JobId, ModelId
from iamine.wire.codec import decode_from_pool, decode_from_worker, encode
from iamine.wire.errors import Malformed, TooLarge, WireError
from iamine.wire.messages import (
    MAX_FRAME_BYTES,
    MAX_HELD,
    MAX_MODELS,
    MAX_STEP_SEQUENCES,
    MAX_STEP_TOKENS,
    Cancel,
    Challenge,
    ChatWork,
    CompletionWork,
    Embedded,
    EmbeddingWork,
    Failed,
    Finished,
    Goodbye,
    Grammar,
    Hardware,
    Heartbeat,
    Held,
    Hello,
    Job,
    Knock,
    Message,
    ModelOffer,
    Models,
    Progress,
    Resume,
    Sampling,
    SequenceStep,
    Started,
    Step,
    TokenLogprob,
    TopToken,
)

JOBS = st.text(min_size=1, max_size=20).map(JobId)
COUNTS = st.integers(0, 2**31 - 1)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
NAMES = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=40)
TOKENS = st.integers(0, 2**26)
IDS = st.lists(COUNTS, max_size=8).map(tuple)
SHA = st.text("0123456789abcdef", min_size=64, max_size=64)
OFFERS = st.builds(
    ModelOffer,
    model=NAMES.map(ModelId),
    file_sha256=SHA,
    kind=st.sampled_from(["chat", "completion", "embedding"]),
    slots=st.integers(1, 1024),
    context_tokens=st.integers(1, 2**20),
    vocabulary_tokens=st.integers(1, 2**20),
    prefill_tps=st.floats(0, 1e6),
    decode_tps=st.floats(0, 1e6),
    exact=st.booleans(),
)
STEPS = st.builds(SequenceStep, job=JOBS, epoch=COUNTS, index=COUNTS, ids=IDS, text=TEXTS)
WORK = st.one_of(
    st.builds(ChatWork, messages=st.just(msgspec.Raw(b'[{"role":"user","content":"hi"}]')), opening=TEXTS, effort=TEXTS),
    st.builds(CompletionWork, prompt=TEXTS | IDS),
    st.builds(EmbeddingWork, inputs=st.lists(TEXTS, max_size=3).map(tuple)),
)
SAMPLING = st.builds(
    Sampling,
    temperature=st.floats(0, 2),
    top_p=st.floats(0, 1),
    seed=st.integers(-(2**63), 2**63 - 1),
    logit_bias=st.dictionaries(COUNTS, st.floats(-100, 100), max_size=3),
    max_tokens=COUNTS,
    stop=st.lists(TEXTS, max_size=4).map(tuple),
    grammar=st.none() | st.builds(Grammar, kind=st.just("gbnf"), text=TEXTS),
)
FROM_WORKER = st.one_of(
    st.builds(Knock, versions=st.lists(st.integers(0, 9), max_size=3).map(tuple), nonce=st.binary(min_size=32, max_size=32)),
    st.builds(Started, job=JOBS, epoch=COUNTS, prompt_tokens=TOKENS, prompt_sha256=SHA, reasoning=st.booleans()),
    st.builds(Progress, job=JOBS, epoch=COUNTS, done_tokens=TOKENS, total_tokens=TOKENS),
    st.builds(Step, sequences=st.lists(STEPS, max_size=5).map(tuple)),
    st.builds(Finished, job=JOBS, epoch=COUNTS, tokens=COUNTS, reason=st.sampled_from(["stop", "length"]), text=TEXTS),
    st.builds(Embedded, job=JOBS, epoch=COUNTS, vectors=st.just(((0.5, -1.0),)), prompt_tokens=TOKENS),
    st.builds(Failed, job=JOBS, epoch=COUNTS, code=st.just("bad_request"), message=TEXTS, retryable=st.booleans()),
    st.builds(Heartbeat, running=COUNTS, ready=st.booleans()),
    st.builds(Models, models=st.lists(OFFERS, max_size=3).map(tuple)),
    st.builds(Goodbye, code=NAMES, reason=TEXTS),
)
FROM_POOL = st.one_of(
    st.builds(
        Challenge,
        version=st.just(1),
        pool_key=st.binary(min_size=32, max_size=32),
        nonce=st.binary(min_size=32, max_size=32),
        now=st.floats(0, 1e10),
        signature=st.binary(min_size=64, max_size=64),
    ),
    st.builds(
        Job,
        job=JOBS,
        epoch=st.integers(1, 2**31),
        file_sha256=SHA,
        work=WORK,
        sampling=SAMPLING,
        now=st.floats(0, 1e10),
        prefix=IDS,
    ),
    st.builds(Cancel, job=JOBS, epoch=COUNTS),
    st.builds(Resume, job=JOBS, epoch=COUNTS, index=COUNTS),
)
HARDWARE = Hardware(cpu="x", cores_physical=1, cores_usable=1.0, memory_bytes=1, memory_available_bytes=1)


def offer(**changes: object) -> ModelOffer:
    fields = {"model": ModelId("m"), "file_sha256": "ab", "slots": 1, "context_tokens": 1, "vocabulary_tokens": 1}
    return msgspec.convert({**fields, **changes}, ModelOffer)


def test_formats_that_a_newer_worker_names_are_heard() -> None:
    frame = encode(Models(models=(offer(),))).replace(b'"slots"', b'"tool_format":"smoke","reasoning_format":"dreams","slots"')
    heard = decode_from_worker(frame)
    assert isinstance(heard, Models)
    assert (heard.models[0].tool_format, heard.models[0].reasoning_format) == ("smoke", "dreams")


LOUD = "x" * 10_000
BEYOND: list[tuple[Message, dict[str, object]]] = [
    (Models(models=(offer(),)), {"model": "a\nb"}),
    (Models(models=(offer(),)), {"model": ""}),
    (Models(models=(offer(),)), {"model": LOUD}),
    (Models(models=(offer(),)), {"model": "\x1b[2J"}),
    (Models(models=(offer(),)), {"model": "\u202eevil"}),
    (Models(models=(offer(),)), {"file_sha256": LOUD}),
    (Models(models=(offer(),)), {"tool_format": LOUD}),
    (Models(models=(offer(),)), {"context_tokens": 2**26 + 1}),
    (Models(models=(offer(),)), {"vocabulary_tokens": 2**31}),
    (Models(models=(offer(),)), {"embedding_dimensions": -1}),
    (Started(job=JobId("j"), epoch=1, prompt_tokens=1), {"prompt_tokens": -1}),
    (Started(job=JobId("j"), epoch=1, prompt_tokens=1), {"prompt_tokens": 2**63}),
    (Started(job=JobId("j"), epoch=1, prompt_tokens=1, marks=("<a>",)), {"marks": ["<a>"] * 300}),
    (Progress(job=JobId("j"), epoch=1, done_tokens=1, total_tokens=2), {"done_tokens": 10**30}),
    (Finished(job=JobId("j"), epoch=1, tokens=1, reason="stop"), {"tokens": 10**400}),
    (Failed(job=JobId("j"), epoch=1, code="no_slot", message="m", retryable=True), {"message": LOUD}),
    (Goodbye(code="c", reason="r"), {"reason": LOUD}),
    (Goodbye(code="c", reason="r"), {"code": "a\r\nb"}),
    (Embedded(job=JobId("j"), epoch=1, vectors=((0.5,),), prompt_tokens=1), {"vectors": [[1e300]]}),
    (Embedded(job=JobId("j"), epoch=1, vectors=((0.5,),), prompt_tokens=1), {"vectors": [[]]}),
    (Heartbeat(running=1), {"running": -1}),
]


def replaced(value: object, changes: dict[str, object]) -> object:
    """The JSON value with each key of `changes` set, at whatever depth it stands."""
    match value:
        case dict():
            return {key: changes.get(key, replaced(each, changes)) for key, each in value.items()} | (
                changes if changes.keys() <= value.keys() or "slots" in value else {}
            )
        case list():
            return [replaced(each, changes) for each in value]
        case _:
            return value


@pytest.mark.parametrize(("message", "changes"), BEYOND)
def test_what_a_worker_says_of_itself_has_bounds(message: Message, changes: dict[str, object]) -> None:
    good = json.loads(encode(message))
    decode_from_worker(json.dumps(good))
    with pytest.raises(Malformed, match=r"\$"):
        decode_from_worker(json.dumps(replaced(good, changes)))


@pytest.mark.parametrize(
    "changes", [{"bytes": [256]}, {"bytes": [1] * 2000}, {"logprob": 1e300}, {"id": -2}, {"top": [{}] * 21}]
)
def test_a_token_is_told_within_bounds(changes: dict[str, object]) -> None:
    told = TokenLogprob(id=1, logprob=-1.0, bytes=(104,), top=(TopToken(id=1, logprob=-2.0, bytes=(105,)),))
    step = SequenceStep(job=JobId("j"), epoch=1, index=0, ids=(1,), text="h", logprobs=(told,))
    good = json.loads(encode(Step(sequences=(step,))))
    decode_from_worker(json.dumps(good))
    with pytest.raises(Malformed):
        decode_from_worker(json.dumps(replaced(good, changes)))


@pytest.mark.parametrize("changes", [{"epoch": 0}, {"epoch": -1}, {"hold_s": 1e30}, {"hold_s": -1.0}])
def test_a_worker_takes_no_job_that_it_could_not_tell_of_in_its_next_hello(changes: dict[str, object]) -> None:
    """Else every pool would refuse it for as long as it holds the job."""
    work, sampling = CompletionWork(prompt="x"), Sampling(max_tokens=1)
    good = json.loads(encode(Job(job=JobId("j"), epoch=1, file_sha256="f", work=work, sampling=sampling, now=1.0, hold_s=1.0)))
    decode_from_pool(json.dumps(good))
    with pytest.raises(Malformed):
        decode_from_pool(json.dumps(good | changes))


def test_a_reason_that_quotes_the_other_side_is_short_enough_to_be_said() -> None:
    with pytest.raises(Malformed) as caught:
        decode_from_worker(json.dumps({"t": "x" * 100_000}))
    assert len(caught.value.reason) <= 1000
    decode_from_pool(encode(Goodbye(code=caught.value.code, reason=caught.value.reason)))


@given(FROM_WORKER)
def test_what_a_worker_says_is_what_the_pool_hears(message: Message) -> None:
    assert decode_from_worker(encode(message)) == message


@given(FROM_POOL)
def test_what_a_pool_says_is_what_the_worker_hears(message: Message) -> None:
    assert decode_from_pool(encode(message)) == message


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=80),
        FROM_WORKER.map(encode)
        .flatmap(lambda f: st.tuples(st.just(f), st.integers(0, len(f)), st.binary(max_size=6)))
        .map(lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + len(cut[2]) :]),
    )
)
def test_a_damaged_frame_is_a_message_or_a_wire_error_and_nothing_else(frame: bytes) -> None:
    for decode in (decode_from_worker, decode_from_pool):
        try:
            decode(frame)
        except WireError as error:
            assert error.code in ("malformed", "too_large")


@pytest.mark.parametrize("bad", [{"first": -1}, {"first": 4, "tokens": 3}, {"epoch": 0}], ids=["first", "order", "epoch"])
def test_an_impossible_held_job_is_refused(bad: dict[str, int]) -> None:
    told: dict[str, object] = {"job": JobId("j"), "epoch": 1, "file_sha256": "f", "first": 0, "tokens": 3}
    fine = encode(
        Hello(worker_key=bytes(32), signature=bytes(64), hardware=HARDWARE, models=(), holding=(msgspec.convert(told, Held),))
    )
    assert isinstance(decode_from_worker(fine), Hello)
    frame = fine.replace(msgspec.json.encode(msgspec.convert(told, Held)), msgspec.json.encode({**told, **bad}))
    with pytest.raises(Malformed):
        decode_from_worker(frame)


def test_too_many_held_jobs_are_refused() -> None:
    held = Held(job=JobId("j"), epoch=1, file_sha256="", first=0, tokens=0)
    hello = Hello(worker_key=bytes(32), signature=bytes(64), hardware=HARDWARE, models=(), holding=(held,) * (MAX_HELD + 1))
    with pytest.raises(TooLarge, match="jobs held"):
        decode_from_worker(encode(hello))


def test_unknown_fields_are_ignored_and_unknown_tags_are_not() -> None:
    assert decode_from_worker(b'{"t":"heartbeat","running":1,"mood":"good"}') == Heartbeat(running=1)
    with pytest.raises(Malformed):
        decode_from_worker(b'{"t":"gossip"}')


def test_a_pool_may_not_say_what_a_worker_says() -> None:
    with pytest.raises(Malformed):
        decode_from_pool(encode(Heartbeat(running=0)))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_keys_nonces_and_signatures_have_their_exact_length(size: int) -> None:
    right, wrong = bytes(32), bytes(size)
    worker_frames: list[Message] = [
        Knock(versions=(1,), nonce=wrong),
        Hello(worker_key=wrong, signature=bytes(64), hardware=HARDWARE, models=()),
        Hello(worker_key=right, signature=wrong, hardware=HARDWARE, models=()),
    ]
    for message in worker_frames:
        with pytest.raises(Malformed):
            decode_from_worker(encode(message))
    for key, nonce, signature in ((wrong, right, bytes(64)), (right, wrong, bytes(64)), (right, right, wrong)):
        with pytest.raises(Malformed):
            decode_from_pool(encode(Challenge(version=1, pool_key=key, nonce=nonce, now=0.0, signature=signature)))


@pytest.mark.parametrize(
    "bad",
    [
        {"slots": 0},
        {"slots": 1025},
        {"context_tokens": 0},
        {"vocabulary_tokens": 0},
        {"decode_tps": -1.0},
        {"prefill_tps": -0.5},
    ],
)
def test_an_impossible_offer_is_refused_in_hello_and_later(bad: dict[str, object]) -> None:
    offers = (offer(**bad),)
    with pytest.raises(Malformed):
        decode_from_worker(encode(Models(models=offers)))
    with pytest.raises(Malformed):
        decode_from_worker(encode(Hello(worker_key=bytes(32), signature=bytes(64), hardware=HARDWARE, models=offers)))


def test_lists_have_limits() -> None:
    one = SequenceStep(job=JobId("j"), epoch=1, index=0, ids=(1,))
    too_long: list[Message] = [
        Models(models=(offer(),) * (MAX_MODELS + 1)),
        Step(sequences=(one,) * (MAX_STEP_SEQUENCES + 1)),
        Step(sequences=(SequenceStep(job=JobId("j"), epoch=1, index=0, ids=(1,) * (MAX_STEP_TOKENS + 1)),)),
    ]
    for message in too_long:
        with pytest.raises(TooLarge):
            decode_from_worker(encode(message))


def test_logprobs_match_the_ids_or_are_absent() -> None:
    logprob = TokenLogprob(id=1, logprob=-0.5, bytes=(65,))
    step = SequenceStep(job=JobId("j"), epoch=1, index=0, ids=(1, 2), logprobs=(logprob,))
    with pytest.raises(Malformed):
        decode_from_worker(encode(Step(sequences=(step,))))


def test_a_frame_over_the_limit_is_neither_made_nor_read() -> None:
    big = "x" * (MAX_FRAME_BYTES + 1)
    with pytest.raises(TooLarge):
        encode(Goodbye(code="x", reason=big))
    with pytest.raises(TooLarge):
        decode_from_worker(json.dumps({"t": "goodbye", "code": "x", "reason": big}))
