"""API keys: how they look, what is stored of them, and a bounded memory of the ones that were right."""

import base64
import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass

from iamine.ids import AccountId

KID_CHARACTERS = 12  # base32: 60 bits, enough that two never meet
KID_BYTES = 8
SECRET_BYTES = 32  # base32: 52 characters
MAX_KEY_CHARACTERS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """`im_<kid>_<secret>`: the kid finds the row, the secret proves."""

    kid: str
    secret: str

    def text(self) -> str:
        """As the client writes it."""
        return f"im_{self.kid}_{self.secret}"

    def secret_hash(self) -> bytes:
        """What is stored: SHA-256; the secret has 256 random bits, so nothing slower is needed."""
        return hashlib.sha256(self.secret.encode()).digest()


def make(random_bytes: bytes) -> ApiKey:
    """A new key from KID_BYTES + SECRET_BYTES random bytes."""
    text = [
        base64.b32encode(part).decode().rstrip("=").lower() for part in (random_bytes[:KID_BYTES], random_bytes[KID_BYTES:])
    ]
    return ApiKey(kid=text[0][:KID_CHARACTERS], secret=text[1])


def read(text: str) -> ApiKey | None:
    """The parts of a key, or None when it cannot be one."""
    parts = text.split("_") if len(text) <= MAX_KEY_CHARACTERS and text.isascii() else []
    if len(parts) != 3 or parts[0] != "im" or len(parts[1]) != KID_CHARACTERS or not parts[2]:
        return None
    return ApiKey(kid=parts[1], secret=parts[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A stored key: whose it is, the hash of its secret, and when (monotonic seconds) it was read."""

    account: AccountId
    secret_hash: bytes
    read_at_s: float


_NOBODY = Known(account=AccountId(""), secret_hash=bytes(32), read_at_s=0.0)


def check(key: ApiKey, known: Known | None) -> AccountId | None:
    """Whose key it is. An unknown kid takes the same path and time as a wrong secret."""
    right = hmac.compare_digest((known or _NOBODY).secret_hash, key.secret_hash())
    return known.account if known is not None and right else None


class KeyCache:
    """Keys read from the database, oldest forgotten first. Times are monotonic seconds and come from outside.

    Younger than `fresh_s`: no query is needed. Younger than `grace_s`: good enough while the database is away.
    """

    def __init__(self, *, size: int, fresh_s: float, grace_s: float) -> None:
        self._size, self.fresh_s, self.grace_s = size, fresh_s, grace_s
        self._known: OrderedDict[str, Known] = OrderedDict()

    def fresh(self, kid: str, now_s: float) -> Known | None:
        """The key if it was read lately."""
        return self._younger(kid, now_s, self.fresh_s)

    def usable(self, kid: str, now_s: float) -> Known | None:
        """The key if it was read within the grace time."""
        return self._younger(kid, now_s, self.grace_s)

    def put(self, kid: str, known: Known) -> None:
        """Remember a key that proved right (wrong ones are not kept: they would push out the right ones)."""
        self._known[kid] = known
        self._known.move_to_end(kid)
        while len(self._known) > self._size:
            self._known.popitem(last=False)

    def forget(self, kid: str) -> None:
        """The key was revoked or is unknown."""
        self._known.pop(kid, None)

    def _younger(self, kid: str, now_s: float, age_s: float) -> Known | None:
        known = self._known.get(kid)
        return known if known is not None and now_s - known.read_at_s < age_s else None
