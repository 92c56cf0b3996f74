"""Ids are made from bytes that are given, so they can be repeated."""

from iamine.ids import account_id, job_id, session_id, worker_id


def test_each_kind_has_its_prefix_and_24_characters() -> None:
    assert job_id(bytes(15)) == "job_" + "a" * 24
    assert session_id(bytes(15)) == "ses_" + "a" * 24
    assert account_id(bytes(15)) == "acc_" + "a" * 24


def test_a_worker_is_its_key() -> None:
    assert worker_id(bytes(range(32))) == worker_id(bytes(range(15)) + bytes(17))
    assert worker_id(bytes(32)) != worker_id(bytes([1]) + bytes(31))
