"""One choice: text, calls and log probabilities out of job events."""

from fakes.hub import WORKER, ended, vectors
from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import JobId
from iamine.wire.messages import TokenLogprob
from pool.dispatch.choice import Aligned, Choice, Tally
from pool.dispatch.events import ChoiceDelta, ChoiceEnded
from pool.routing.types import Begun, Delta, Segment


def token(text: bytes) -> TokenLogprob:
    return TokenLogprob(id=1, logprob=-1.0, bytes=tuple(text))


def choice() -> Choice:
    return Choice(index=0, job=JobId("job_1"), tools=None, logprobs=True, echo="")


def test_log_probabilities_wait_for_their_text() -> None:
    one = choice()
    first, second = token("é".encode()[:1]), token("é".encode()[1:])
    assert one.on(Delta(index=0, ids=(1,), text="", logprobs=(first,))) == []
    (told,) = one.on(Delta(index=1, ids=(2,), text="é", logprobs=(second,)))
    assert told == ChoiceDelta(choice=0, content="é", logprobs=(first, second))


def test_tokens_of_a_stop_string_are_not_told_but_half_a_character_of_a_cut_answer_is() -> None:
    for reason, rest in (("stop", []), ("length", [ChoiceDelta(choice=0, logprobs=(token(b"\xc3"),))])):
        one = choice()
        one.on(Delta(index=0, ids=(1, 2), text="Hi", logprobs=(token(b"Hi"), token(b"\xc3"))))
        told = one.on(ended(2, reason=reason))
        assert told[:-1] == rest
        assert isinstance(told[-1], ChoiceEnded)
        assert told[-1].finish_reason == reason


@given(st.lists(st.text(min_size=1, max_size=3), max_size=6), st.data())
def test_every_token_is_told_once_in_order_however_the_text_lags(texts: list[str], data: st.DataObject) -> None:
    aligned, told, tokens = Aligned(), list[TokenLogprob](), [token(text.encode()) for text in texts]
    whole, shown = "".join(texts), 0
    for i, one in enumerate(tokens):
        by_now = len("".join(texts[: i + 1]))
        upto = data.draw(st.integers(shown, by_now))
        told += aligned.add(whole[shown:upto], (one,))
        shown = upto
    told += aligned.add(whole[shown:], ())
    assert told == tokens
    assert aligned.rest() == ()


def test_vectors_are_no_choice() -> None:
    assert choice().on(vectors((1.0,))[1]) == []  # type: ignore[arg-type]


def test_a_tally_tells_only_segments_with_tokens() -> None:
    tally = Tally()
    tally.on_tokens(0)
    tally.on_worker(WORKER)
    tally.on_worker(WORKER)
    tally.on_tokens(3)
    assert tally.told() == (Segment(worker=WORKER, start=0, stop=3),)


def test_the_echo_comes_once_before_the_text() -> None:
    one = Choice(index=0, job=JobId("job_1"), tools=None, logprobs=False, echo="Once")
    begun = Begun(worker=WORKER, epoch=1, prompt_tokens=1, cached_tokens=0)
    assert ChoiceDelta(choice=0, content="Once") in one.on(begun)
    assert one.on(begun) == []
