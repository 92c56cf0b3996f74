"""An answer grows token by token; a continued one is the same from its prefix on."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.engine.sequence import Prepared, Sequence
from iamine.ids import JobId
from iamine.wire.messages import CompletionWork, Finished, Job, Sampling, TokenLogprob

PIECES = [b"", b"ab", b"b", b"\xf0\x9f", b"\x90\x8e", b"STO", b"P", b"\xff", b" c"]
END = 0


class Vocabulary:
    eog = frozenset({END})

    @staticmethod
    def piece(token: int) -> bytes:
        return PIECES[token]


def begin(prefix: tuple[int, ...] = (), context: int = 100, **sampling: Any) -> Sequence:
    options = Sampling(**{"max_tokens": 20, **sampling})
    job = Job(
        job=JobId("j"), epoch=2, file_sha256="", work=CompletionWork(prompt="x"), sampling=options, now=0.0, prefix=prefix
    )
    return Sequence.begin(Prepared(job=job, prompt=(1, 2, 3), prompt_sha256=""), Vocabulary(), context)


def run(sequence: Sequence, tokens: list[int]) -> tuple[list[int], str, Finished | None]:
    ids: list[int] = []
    text, finished = "", sequence.ended()
    for token in tokens:
        if finished is not None:
            break
        taken = sequence.take(token)
        finished = taken.finished
        if taken.step is not None:
            assert taken.step.index == len(sequence.job.prefix) + len(ids)
            ids += taken.step.ids
            text += taken.step.text
    return ids, text + (finished.text if finished else ""), finished


@given(st.lists(st.integers(1, 8), max_size=25), st.integers(0, 25), st.lists(st.sampled_from(["STOP", "b", "zz"]), max_size=2))
def test_continued_at_any_token_the_answer_is_the_same(tokens: list[int], k: int, stop: list[str]) -> None:
    tokens = [*tokens, END]
    ids, text, finished = run(begin(stop=tuple(stop)), tokens)
    k = min(k, len(ids))
    first = begin(stop=tuple(stop))
    before = "".join(taken.step.text for t in ids[:k] if (taken := first.take(t)).step)
    more, rest, again = run(begin(tuple(ids[:k]), stop=tuple(stop)), tokens[k:])
    assert (ids[:k] + more, before + rest, again) == (ids, text, finished)


def test_the_end_token_is_no_part_of_the_answer() -> None:
    taken = begin().take(END)
    assert taken.step is None
    assert taken.finished == Finished(job=JobId("j"), epoch=2, tokens=0, reason="stop")


def test_max_tokens_counts_the_whole_answer() -> None:
    ids, text, finished = run(begin((1,), max_tokens=3), [2, 1, 1])
    assert (ids, text) == ([2, 1], "bab")
    assert finished is not None
    assert (finished.tokens, finished.reason) == (3, "length")


def test_the_context_ends_an_answer_too() -> None:
    ids, _, finished = run(begin(context=5), [1, 1, 1])
    assert len(ids) == 2
    assert finished is not None
    assert finished.reason == "length"


def test_a_stop_string_ends_the_answer_and_is_named() -> None:
    ids, text, finished = run(begin(stop=("STOP",)), [1, 5, 6, 1])
    assert (ids, text) == ([1, 5, 6], "ab")
    assert finished == Finished(job=JobId("j"), epoch=2, tokens=3, reason="stop", stop="STOP")


def test_held_back_text_comes_with_the_end() -> None:
    _, text, finished = run(begin(stop=("STOP",), max_tokens=2), [1, 5])
    assert text == "abSTO"
    assert finished is not None
    assert finished.text == "STO"


def test_a_prefix_that_reached_the_end_ends_at_once() -> None:
    for prefix, stop, reason in (((1, 2), (), "length"), ((5, 6), ("STOP",), "stop")):
        ended = begin(prefix, max_tokens=2, stop=stop).ended()
        assert ended is not None
        assert (ended.reason, ended.tokens) == (reason, 2)


def test_pending_ids_are_what_the_context_does_not_hold() -> None:
    sequence = begin((7, 8))
    assert [sequence.pending(n) for n in (0, 2, 3, 4, 5)] == [[1, 2, 3, 7, 8], [3, 7, 8], [7, 8], [8], []]
    assert sequence.ids == 5


def test_logprobs_go_with_their_token() -> None:
    logprob = TokenLogprob(id=1, logprob=-0.5, bytes=(97, 98))
    step = begin().take(1, logprob).step
    assert step is not None
    assert step.logprobs == (logprob,)
    assert begin((4, 4, 5)).counts == {4: 2, 5: 1}
