"""Identities: signatures prove keys, and bytes that are no key prove nothing."""

from hypothesis import given
from hypothesis import strategies as st

from iamine.identity import Identity, fingerprint, verify

SEEDS = st.binary(min_size=32, max_size=32)


@given(SEEDS, st.binary(max_size=200))
def test_a_signature_holds_for_its_key_and_message_only(seed: bytes, message: bytes) -> None:
    identity = Identity.from_seed(seed)
    signature = identity.sign(message)
    assert verify(identity.public_key, signature, message)
    assert not verify(identity.public_key, signature, message + b"x")
    assert not verify(Identity.from_seed(bytes(a ^ 1 for a in seed)).public_key, signature, message)


@given(st.binary(max_size=64), st.binary(max_size=80))
def test_bytes_that_are_no_key_or_no_signature_are_false_not_an_error(key: bytes, signature: bytes) -> None:
    assert not verify(key, signature, b"message")


def test_a_fingerprint_reads_as_eight_groups() -> None:
    assert fingerprint(bytes(32)) == "6668-7aad-f862-bd77-6c8f-c18b-8e9f-8e20"
