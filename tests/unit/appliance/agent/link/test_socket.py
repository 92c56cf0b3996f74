"""What is wrong with a certificate, in words (OpenSSL's numbers; real ones: tests/integration/agent/test_doctor.py)."""

import ssl

import pytest

from appliance.agent.link.socket import certificate_problem, is_loopback


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (9, "not valid yet"),
        (10, "expired"),
        (18, "by itself"),
        (19, "by itself"),
        (20, "issuer"),
        (62, "another name"),
        (7, "gone"),
    ],
)
def test_each_problem_has_words_and_a_next_step(code: int, words: str) -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, "gone"
    what, hint = certificate_problem(error)
    assert words in what
    assert hint


@pytest.mark.parametrize(
    ("url", "is_here"),
    [
        ("ws://127.0.0.1:1", True),
        ("ws://[::1]:1", True),
        ("wss://a.localhost", True),
        ("ws://10.0.0.1", False),
        ("ws://h", False),
    ],
)
def test_a_pool_on_this_machine_is_known(url: str, is_here: bool) -> None:
    assert is_loopback(url) is is_here
