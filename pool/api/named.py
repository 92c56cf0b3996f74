"""Requests that name themselves by an Idempotency-Key, and where a client of such a stream goes on."""

from os import urandom

from sanic import Request

from iamine.ids import AccountId
from iamine.sealing import Secret
from pool.api.auth import sent_key
from pool.dispatch.kept import Claim
from pool.dispatch.position import Position, read_position
from pool.errors import InvalidRequest

HEADER = "Idempotency-Key"
MAX_CHARACTERS = 255  # Stripe's bound
SEED_BYTES = 7


def name_of(request: Request) -> str | None:
    """The request's Idempotency-Key. Raises InvalidRequest for one that cannot be."""
    name: str | None = request.headers.get(HEADER)
    if name is None:
        return None
    if not (1 <= len(name) <= MAX_CHARACTERS and name.isascii() and name.isprintable()):
        raise InvalidRequest(f"{HEADER} has 1-{MAX_CHARACTERS} printable ASCII characters.", param=HEADER)
    return name


def claim_of(request: Request, account: AccountId, body: bytes) -> Claim | None:
    """What the request may be found again by, None for one without a name. Raises InvalidRequest."""
    name = name_of(request)
    if name is None:
        return None
    secret = _secret(request)
    tag, whole = secret.tag("idempotency", name.encode()), secret.tag("body", request.path.encode(), body)
    return Claim(account=account, tag=tag, body=whole, secret=secret)


def seed_of(request: Request) -> int:
    """The seed for an answer whose request says none: random, but the same for the same Idempotency-Key."""
    name = name_of(request)
    drawn = urandom(SEED_BYTES) if name is None else _secret(request).tag("seed", name.encode())[:SEED_BYTES]
    return int.from_bytes(drawn, "big")


def position_of(request: Request) -> Position | None:
    """Where the client goes on, None when it begins. Raises InvalidRequest for a Last-Event-ID that is none of ours."""
    text: str | None = request.headers.get("Last-Event-ID")
    if not text:
        return None
    position = read_position(text)
    if position is None:
        raise InvalidRequest("Last-Event-ID is the `id` of the last event that you have.", param="Last-Event-ID")
    return position


def _secret(request: Request) -> Secret:
    return Secret((sent_key(request) or "").encode())
