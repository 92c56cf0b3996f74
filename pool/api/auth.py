"""From a request's headers to an account."""

from sanic import Request

from iamine.ids import AccountId
from pool.api.ports import Keys
from pool.errors import AuthenticationFailed

MAX_KEY_CHARACTERS = 256
_HINT = "Send 'Authorization: Bearer im_...' (or x-api-key); the operator of this pool gives out keys."


def sent_key(request: Request) -> str | None:
    """The key in `Authorization: Bearer <key>` (RFC 6750 2.1), else in `x-api-key` as Anthropic's clients send it."""
    header = request.headers.get("authorization", "")
    scheme, _, key = header.partition(" ")
    key = (key if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")).strip()
    return key if 0 < len(key) <= MAX_KEY_CHARACTERS and key.isascii() else None


async def account_of(keys: Keys, request: Request) -> AccountId:
    """Who asks; the response is told of it. Raises AuthenticationFailed."""
    key = sent_key(request)
    if key is None:
        raise AuthenticationFailed("You did not provide an API key.", hint=_HINT)
    account = await keys.authenticate(key)
    if account is None:
        raise AuthenticationFailed("Incorrect API key provided.", hint=_HINT)
    request.ctx.account = account
    return account
