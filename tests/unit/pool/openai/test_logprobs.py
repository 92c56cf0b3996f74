"""Log probabilities as OpenAI writes them."""

import math

from iamine.wire.messages import TokenLogprob, TopToken
from pool.openai.logprobs import chat_logprobs, finite, old_logprobs, text_length, token_text

HI = TokenLogprob(id=1, logprob=-0.5, bytes=(72, 105), top=(TopToken(id=2, logprob=-math.inf, bytes=(0xE2, 0x80)),))
YOU = TokenLogprob(id=3, logprob=-0.25, bytes=tuple(b" you"))


def test_a_token_that_is_no_whole_text_is_written_as_its_bytes() -> None:
    assert token_text((72, 105)) == "Hi"
    assert token_text((0xE2, 0x80)) == "bytes:\\xe2\\x80"


def test_what_json_cannot_say_is_very_unlikely() -> None:
    assert finite(-math.inf) == finite(math.nan) == -9999.0
    assert finite(-0.5) == -0.5


def test_chat_tells_objects() -> None:
    told = chat_logprobs([HI])
    top = {"token": "bytes:\\xe2\\x80", "logprob": -9999.0, "bytes": (0xE2, 0x80)}
    assert told == {
        "content": [{"token": "Hi", "logprob": -0.5, "bytes": (72, 105), "top_logprobs": [top]}],
        "refusal": None,
    }


def test_completions_tell_parallel_lists_with_offsets() -> None:
    assert old_logprobs([HI, YOU], 10) == {
        "tokens": ["Hi", " you"],
        "token_logprobs": [-0.5, -0.25],
        "top_logprobs": [{"bytes:\\xe2\\x80": -9999.0}, {}],
        "text_offset": [10, 12],
    }
    assert text_length([HI, YOU]) == 6
