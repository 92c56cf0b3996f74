"""The names of things that must not be mixed up, and how they are made from random bytes."""

import base64
from typing import NewType

AccountId = NewType("AccountId", str)
JobId = NewType("JobId", str)
ModelId = NewType("ModelId", str)
SessionId = NewType("SessionId", str)
WorkerId = NewType("WorkerId", str)

ID_BYTES = 15  # 120 bits: 24 base32 characters without padding


def name_from(prefix: str, random_bytes: bytes) -> str:
    """`prefix_` and the lower-case base32 of the bytes; 15 bytes give 24 characters."""
    return f"{prefix}_{base64.b32encode(random_bytes).decode().rstrip('=').lower()}"


def job_id(random_bytes: bytes) -> JobId:
    """A job's id from ID_BYTES random bytes."""
    return JobId(name_from("job", random_bytes))


def session_id(random_bytes: bytes) -> SessionId:
    """A live link's id from ID_BYTES random bytes."""
    return SessionId(name_from("ses", random_bytes))


def account_id(random_bytes: bytes) -> AccountId:
    """An account's id from ID_BYTES random bytes."""
    return AccountId(name_from("acc", random_bytes))


def worker_id(public_key: bytes) -> WorkerId:
    """A worker is its Ed25519 public key (32 bytes): the id is the key's first 120 bits."""
    return WorkerId(name_from("wrk", public_key[:ID_BYTES]))
