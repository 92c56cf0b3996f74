"""One choice: text, calls and log probabilities out of job events."""

from collections.abc import Sequence

from fakes.hub import WORKER, ended, vectors
from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import JobId
from iamine.wire.messages import MARK, TokenLogprob
from pool.dispatch.choice import Aligned, Choice, Tally, ToolUse
from pool.dispatch.events import AnswerEvent, ChoiceDelta, ChoiceEnded
from pool.routing.types import Begun, Delta, Segment
from pool.toolcalls.formats import Formats
from pool.toolcalls.types import Tools


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


def test_a_workers_marks_are_no_text_and_no_tokens() -> None:
    one = Choice(index=0, job=JobId("job_1"), tools=None, formats=Formats(reasoning="think"), logprobs=True)
    one.on(Begun(worker=WORKER, epoch=1, prompt_tokens=1, cached_tokens=0, marks=("<think>", "</think>")))
    told = told_of(one, ("<think>", "a"), ("</think>",), ("b", "<thi", "nk>"), marks=("<think>", "</think>"))
    assert gathered(told) == ("b<think>", "a", "b<think>")


THINK = Formats(reasoning="think")
HARMONY = Formats(tool="harmony", reasoning="harmony")


def told_of(one: Choice, *steps: tuple[str, ...], reason: str = "stop", marks: Sequence[str] = ()) -> list[AnswerEvent]:
    """All that is told of an answer whose steps have these tokens, each with its log probability."""
    told: list[AnswerEvent] = []
    count = 0
    for tokens in steps:
        logprobs = tuple(token(text.encode()) for text in tokens)
        text = "".join(MARK + each if each in marks else each for each in tokens)
        told += one.on(Delta(index=count, ids=(1,) * len(tokens), text=text, logprobs=logprobs))
        count += len(tokens)
    return told + one.on(ended(count, reason=reason))


def reading(formats: Formats, *, logprobs: bool = True) -> Choice:
    return Choice(index=0, job=JobId("job_1"), tools=None, formats=formats, logprobs=logprobs)


def gathered(told: list[AnswerEvent]) -> tuple[str, str, str]:
    """Content, reasoning, and the text of the tokens whose log probabilities were told."""
    deltas = [event for event in told if isinstance(event, ChoiceDelta)]
    tokens = b"".join(bytes(one.bytes) for delta in deltas for one in delta.logprobs)
    assert not any(delta.logprobs for delta in deltas if delta.reasoning)
    return "".join(d.content for d in deltas), "".join(d.reasoning for d in deltas), tokens.decode()


def test_reasoning_has_no_log_probabilities_and_the_content_has_its_own() -> None:
    steps = ("<think>",), ("\n", "So"), (" é", ".\n"), ("</think>", "\n\n"), ("Y", "es"), (".",)
    for way in (steps, (tuple(text for step in steps for text in step),), [(text,) for step in steps for text in step]):
        one = reading(THINK)
        assert gathered(told_of(one, *way)) == ("Yes.", "So é.", "Yes.")
    one = reading(HARMONY)
    steps = ("<|channel|>", "analysis", "<|message|>"), ("Hm", "<|end|>"), ("<|start|>", "assistant"), ("<|channel|>",)
    told = told_of(one, *steps, ("final", "<|message|>"), ("Y", "es"))
    assert gathered(told) == ("Yes", "Hm", "Yes")


def test_an_answer_that_never_reasons_is_told_with_every_token() -> None:
    for formats in (THINK, HARMONY, Formats()):
        assert gathered(told_of(reading(formats), ("<", "b", ">"), (" b",))) == ("<b> b", "", "<b> b")


def test_reasoning_that_is_cut_off_tells_no_log_probabilities() -> None:
    one = reading(THINK)
    told = told_of(one, ("<think>",), ("Hm", "</thi"), reason="length")
    assert gathered(told) == ("", "Hm</thi", "")
    assert told[-1] == ChoiceEnded(choice=0, finish_reason="length")
    assert one.tally.reasoning_tokens == 3


def test_a_text_that_begins_inside_the_reasoning() -> None:
    one = reading(THINK, logprobs=False)
    one.on(Begun(worker=WORKER, epoch=1, prompt_tokens=1, cached_tokens=0, reasoning=True))
    assert one.on(Delta(index=0, ids=(1,), text="Hm")) == [ChoiceDelta(choice=0, reasoning="Hm")]
    one.on(Begun(worker=WORKER, epoch=2, prompt_tokens=1, cached_tokens=0, reasoning=True))
    assert one.on(Delta(index=1, ids=(2, 3), text="</think>Yes")) == [ChoiceDelta(choice=0, content="Yes")]
    assert one.on(Delta(index=3, ids=(4,), text=".")) == [ChoiceDelta(choice=0, content=".")]
    assert (one.tally.tokens, one.tally.reasoning_tokens) == (4, 3)


def test_reasoning_calls_and_the_end_of_a_model_that_does_all() -> None:
    tools = ToolUse(tools=Tools(accepts=lambda name, _arguments: name == "look"), parallel=False)
    one = Choice(index=0, job=JobId("job_1"), tools=tools, formats=HARMONY, logprobs=True)
    call = ("<|channel|>commentary to=functions.look<|message|>{}<|call|>",)
    told = told_of(one, ("<|channel|>analysis<|message|>", "Hm", "<|end|>"), ("<|start|>assistant",), call, ("more",))
    assert [event.call.name for event in told if isinstance(event, ChoiceDelta) and event.call] == ["look"]
    assert one.ended
