"""What strangers say on the local network becomes a checked value, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iamine.lan.record import (
    MAX_ADDRESSES,
    MAX_NAME_BYTES,
    POOL_TYPE,
    Place,
    PoolRecord,
    instance,
    lan_only,
    models_place,
    models_text,
    place,
    pool_record,
    pool_text,
    shown,
)

FINGERPRINT = "0011-2233-4455-6677-8899-aabb-ccdd-eeff"
HERE = Place(name="Lab", addresses=("192.168.1.7", "10.0.0.2"), port=8000)


def wire(**text: str) -> dict[bytes, bytes | None]:
    return {key.encode(): value.encode() for key, value in (pool_text(fingerprint=FINGERPRINT, version="1.2") | text).items()}


def test_what_a_pool_writes_is_read_back() -> None:
    found = pool_record(HERE, wire())
    assert found == PoolRecord(place=HERE, path="/v1", fingerprint=FINGERPRINT, version="1.2")
    assert found.urls == ("http://192.168.1.7:8000/v1", "http://10.0.0.2:8000/v1")


@pytest.mark.parametrize(
    "text",
    [
        {"txtvers": "2"},
        {"fp": ""},
        {"fp": FINGERPRINT.upper()},
        {"fp": FINGERPRINT + "-0000"},
        {"path": "v1"},
        {"path": "/v1?x=1"},
        {"path": "/v1\n"},
        {"path": "/@elsewhere.example"},
    ],
)
def test_a_record_that_makes_no_sense_is_none(text: dict[str, str]) -> None:
    assert pool_record(HERE, wire(**text)) is None


def test_a_strange_version_does_not_matter_but_is_not_shown() -> None:
    found = pool_record(HERE, wire(version="1.2\x1b[2J"))
    assert found is not None
    assert found.version == "unknown"


@given(st.dictionaries(st.binary(max_size=12), st.none() | st.binary(max_size=80), max_size=6))
def test_no_bytes_break_the_reading(text: dict[bytes, bytes | None]) -> None:
    assert pool_record(HERE, text) is None


def test_only_addresses_of_a_local_network_count_and_link_local_ones_come_last() -> None:
    said = [
        "169.254.3.4",
        "8.8.8.8",
        "127.0.0.1",
        "0.0.0.0",
        "fe80::1",
        "224.0.0.251",
        "10.0.0.2",
        "100.64.0.9",
        "10.0.0.2",
    ]
    assert lan_only(said) == ["10.0.0.2", "100.64.0.9", "169.254.3.4"]


def test_a_place_needs_a_port_and_an_address() -> None:
    assert place(f"Lab.{POOL_TYPE}", POOL_TYPE, ["10.1.1.1"], 80) == Place(name="Lab", addresses=("10.1.1.1",), port=80)
    assert place("Lab", POOL_TYPE, ["10.1.1.1"], 0) is None
    assert place("Lab", POOL_TYPE, ["9.9.9.9"], 80) is None
    many = place("Lab", POOL_TYPE, [f"10.0.0.{number}" for number in range(1, 30)], 80)
    assert many is not None
    assert len(many.addresses) == MAX_ADDRESSES


@pytest.mark.parametrize(
    ("said", "is_shown"),
    [("Läb 3", "Läb 3"), ("a\x1b[31mb\r\n", "a?[31mb??"), ("\u202eevil", "?evil"), ("", "?"), ("x" * 99, "x" * MAX_NAME_BYTES)],
)
def test_a_strangers_name_is_safe_on_a_terminal(said: str, is_shown: str) -> None:
    assert shown(said) == is_shown


@pytest.mark.parametrize("name", ["Lab", "My. pool", "ä" * 60, "...", ""])
def test_an_instance_is_one_label_and_the_kind(name: str) -> None:
    label, dot, kind = instance(name, POOL_TYPE).partition(".")
    assert (kind, dot) == (POOL_TYPE, ".")
    assert 0 < len(label.encode()) <= MAX_NAME_BYTES


def test_models_are_shared_at_a_place_by_a_record_of_a_known_kind() -> None:
    text = {key.encode(): value.encode() for key, value in models_text().items()}
    assert models_place(HERE, text) == HERE
    assert models_place(HERE, {b"txtvers": b"2"}) is None
    assert models_place(HERE, {}) is None
