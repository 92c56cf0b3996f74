"""Sealed bytes open with the same secret at the same place only, and tell neither their text nor their exact length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iamine.sealing import NONCE_BYTES, PAD_BYTES, SealBroken, Secret

NONCE = bytes(range(NONCE_BYTES))


@given(st.binary(max_size=1000), st.text(max_size=20), st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES))
def test_what_was_sealed_opens_again(plain: bytes, place: str, nonce: bytes) -> None:
    box = Secret(b"s").box("journal", "job_1")
    sealed = box.seal(plain, place, nonce)
    assert box.open(sealed, place) == plain
    assert len(plain) < 8 or plain not in sealed[NONCE_BYTES:]
    assert (len(sealed) - NONCE_BYTES - 16) % PAD_BYTES == 0


@pytest.mark.parametrize(
    ("secret", "purpose", "record", "place"),
    [
        ("x", "journal", "job_1", "0"),
        ("s", "other", "job_1", "0"),
        ("s", "journal", "job_2", "0"),
        ("s", "journal", "job_1", "1"),
    ],
)
def test_nothing_else_opens_it(secret: str, purpose: str, record: str, place: str) -> None:
    sealed = Secret(b"s").box("journal", "job_1").seal(b"hello", "0", NONCE)
    with pytest.raises(SealBroken):
        Secret(secret.encode()).box(purpose, record).open(sealed, place)


@pytest.mark.parametrize("change", [0, 5, NONCE_BYTES, -1])
def test_changed_bytes_do_not_open(change: int) -> None:
    box = Secret(b"s").box("journal", "job_1")
    sealed = bytearray(box.seal(b"hello", "0", NONCE))
    sealed[change] ^= 1
    for broken in (bytes(sealed), b"", bytes(sealed[:20])):
        with pytest.raises(SealBroken):
            box.open(broken, "0")


def test_a_tag_is_the_secrets_the_purposes_and_the_parts() -> None:
    tags = [
        Secret(b"s").tag("p", b"ab", b"c"),
        Secret(b"s").tag("p", b"a", b"bc"),
        Secret(b"s").tag("q", b"ab", b"c"),
        Secret(b"t").tag("p", b"ab", b"c"),
    ]
    assert len(set(tags)) == 4
    assert tags[0] == Secret(b"s").tag("p", b"ab", b"c")
