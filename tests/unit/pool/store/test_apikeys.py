"""API keys."""

from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import AccountId
from pool.store import apikeys
from pool.store.apikeys import ApiKey, KeyCache, Known

KEY = apikeys.make(bytes(range(40)))
ANN = AccountId("acc_ann")


def known(key: ApiKey = KEY, at_s: float = 0.0) -> Known:
    return Known(account=ANN, secret_hash=key.secret_hash(), read_at_s=at_s)


@given(st.binary(min_size=40, max_size=40))
def test_a_key_survives_being_written(random_bytes: bytes) -> None:
    key = apikeys.make(random_bytes)
    assert apikeys.read(key.text()) == key
    assert (len(key.kid), len(key.secret)) == (12, 52)


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    found = apikeys.read(text)
    assert found is None or found.text() == text


def test_what_is_no_key_is_none() -> None:
    for text in ("", "im_", "sk-abc", "im_abc_def", f"{KEY.text()}_x", f"im_{KEY.kid}_", KEY.text() + "é", "im_" + "a" * 300):
        assert apikeys.read(text) is None


def test_the_right_secret_opens() -> None:
    assert apikeys.check(KEY, known()) == ANN


def test_a_wrong_secret_or_an_unknown_kid_does_not() -> None:
    assert apikeys.check(ApiKey(kid=KEY.kid, secret="wrong"), known()) is None
    assert apikeys.check(KEY, None) is None


def test_the_stored_hash_does_not_hold_the_secret() -> None:
    assert KEY.secret.encode() not in known().secret_hash


def test_a_key_is_fresh_for_a_while_and_usable_for_longer() -> None:
    cache = KeyCache(size=2, fresh_s=10, grace_s=100)
    cache.put("k", known())
    assert cache.fresh("k", 9.9) == known()
    assert cache.fresh("k", 10.0) is None
    assert cache.usable("k", 99.9) == known()
    assert cache.usable("k", 100.0) is None


def test_the_oldest_key_is_forgotten_first() -> None:
    cache = KeyCache(size=2, fresh_s=10, grace_s=100)
    for kid in ("a", "b", "a", "c"):
        cache.put(kid, known())
    assert cache.fresh("b", 0) is None
    assert cache.fresh("a", 0) == cache.fresh("c", 0) == known()


def test_a_forgotten_key_is_gone() -> None:
    cache = KeyCache(size=2, fresh_s=10, grace_s=100)
    cache.put("k", known())
    cache.forget("k")
    cache.forget("k")
    assert cache.usable("k", 0) is None
