"""A claim's body."""

import pytest

from pool.errors import InvalidRequest
from pool.openai.me import parse_claim


def test_the_code_is_taken_as_it_was_typed() -> None:
    assert parse_claim(b'{"code": "7kq4 m2xn"}') == "7kq4 m2xn"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"code": ""}', b'{"code": 1}', b'{"code": "x", "y": 1}'])
def test_what_is_no_claim_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_claim(body)


def test_a_code_of_any_length_is_not_read() -> None:
    with pytest.raises(InvalidRequest):
        parse_claim(b'{"code": "' + b"x" * 65 + b'"}')
