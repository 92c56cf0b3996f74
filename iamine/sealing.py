"""What is sealed with a key that comes from an API key's secret: who has only the database can open nothing of it.

HKDF (RFC 5869) with SHA-256 makes one key per purpose and record; ChaCha20-Poly1305 (RFC 8439) seals under a random nonce.
"""

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from iamine.errors import IamineError

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 32
PAD_BYTES = 256  # lengths are told in steps of this
_LENGTH_BYTES = 4


class SealBroken(IamineError):
    """Another key, another place, or changed bytes."""


class Secret:
    """The secret half of an API key, as a source of keys. Two purposes never share one."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def tag(self, purpose: str, *parts: bytes) -> bytes:
        """TAG_BYTES that only this secret makes of these parts: equal parts are found again, and not even guesses are told."""
        whole = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._key("tag", purpose), whole, "sha256")

    def box(self, purpose: str, record: str) -> "Box":
        """What seals and opens one record."""
        return Box(self._key("box", purpose, record))

    def _key(self, *info: str) -> bytes:
        told = b"\0".join([b"iamine 1", *(part.encode() for part in info)])
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=told).derive(self._secret)


class Box:
    """One key. `place` is where the sealed bytes lie: they open nowhere else."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = ChaCha20Poly1305(key)

    def seal(self, plain: bytes, place: str, nonce: bytes) -> bytes:
        """The nonce (NONCE_BYTES, random) and the ciphertext, padded to hide the length's last digits."""
        framed = len(plain).to_bytes(_LENGTH_BYTES, "big") + plain
        framed += bytes(-len(framed) % PAD_BYTES)
        return nonce + self._cipher.encrypt(nonce, framed, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """What was sealed. Raises SealBroken."""
        try:
            framed = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):
            raise SealBroken("what was sealed does not open with this key") from None
        return framed[_LENGTH_BYTES : _LENGTH_BYTES + int.from_bytes(framed[:_LENGTH_BYTES], "big")]
