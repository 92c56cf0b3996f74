"""Ed25519 keys (RFC 8032): who a pool or a worker is, proven by signatures."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SEED_BYTES = 32


class Identity:
    """A key pair. The seed stays inside; everybody may know the public key."""

    __slots__ = ("_private", "public_key")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public_key: bytes = private.public_key().public_bytes_raw()

    @classmethod
    def from_seed(cls, seed: bytes) -> "Identity":
        """The key pair of 32 secret bytes. Raises ValueError for another length."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    def sign(self, message: bytes) -> bytes:
        """64 bytes that only this key makes for this message."""
        return self._private.sign(message)


def verify(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the holder of the public key (32 bytes) signed the message; False for bytes that are no key."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(public_key: bytes) -> str:
    """The key's SHA-256 for people: 8 groups of 4 hexadecimal digits (the first 128 bits)."""
    digits = hashlib.sha256(public_key).hexdigest()[:32]
    return "-".join(digits[i : i + 4] for i in range(0, 32, 4))
