"""Every failure as OpenAI's error envelope, or Anthropic's on its paths, with its status and headers."""

import asyncio
import logging
import math
import traceback

from sanic import HTTPResponse, Request
from sanic import exceptions as sanic_errors
from sanic.response import empty, raw

from pool import errors
from pool.api.ports import App
from pool.api.replies import ANTHROPIC, request_id
from pool.errors import PoolError
from pool.openai.anthropic.objects import anthropic_error
from pool.openai.objects import error_json

log = logging.getLogger("iamine.pool.api")

JSON = "application/json"
CLIENT_GONE = 499  # nginx's number; nobody is there to read it


def install(app: App) -> None:
    """Answer every exception of the app's handlers, and Sanic's own, with the envelope."""
    app.error_handler.add(Exception, _respond)
    app.error_handler.add(asyncio.CancelledError, _gone)


def _gone(_request: Request, _error: BaseException) -> HTTPResponse:
    return empty(CLIENT_GONE)


def _respond(request: Request, error: Exception) -> HTTPResponse:
    if isinstance(error, sanic_errors.MethodNotAllowed) and request.method == "OPTIONS":
        return empty(204, headers={"allow": allowed(error)})
    told = translate(error, request)
    if told.status >= 500 and not isinstance(told, errors.Unavailable):
        log_failure(request_id(request), error)
    return raw(_envelope(request, told), told.status, headers(told, error), JSON)


def _envelope(request: Request, told: PoolError) -> bytes:
    if request.path.startswith(ANTHROPIC):
        return anthropic_error(told, request_id(request))
    return error_json(told)


def allowed(error: sanic_errors.MethodNotAllowed) -> str:
    """The methods that the address does have."""
    return str(dict(error.headers).get("Allow", ""))


def headers(told: PoolError, error: Exception) -> dict[str, str]:
    """What goes with the status: RFC 9110 15.5.2 (401), 15.5.6 (405), 10.2.3 (Retry-After)."""
    found: dict[str, str] = {}
    if isinstance(told, errors.AuthenticationFailed):
        found["www-authenticate"] = "Bearer"
    if isinstance(error, sanic_errors.MethodNotAllowed):
        found["allow"] = allowed(error)
    retry_after_s = getattr(told, "retry_after_s", None)
    if retry_after_s is not None:
        found["retry-after"] = str(max(1, math.ceil(retry_after_s)))
    return found


def translate(error: Exception, request: Request) -> PoolError:
    """Any exception as one of ours; of a foreign one nothing is told."""
    match error:
        case PoolError():
            return error
        case sanic_errors.NotFound():
            return errors.NotFound(
                f"There is nothing at {request.path[:200]}.", hint="The API begins at /v1/; see /openapi.json."
            )
        case sanic_errors.MethodNotAllowed():
            return errors.MethodNotAllowed(f"{request.method[:20]} is not possible here, only {allowed(error)}.")
        case sanic_errors.PayloadTooLarge():
            return errors.PayloadTooLarge("The request is larger than this pool accepts.")
        case sanic_errors.ServiceUnavailable():
            return errors.Unavailable("The request took too long.")
        case sanic_errors.SanicException() if error.status_code < 500:
            return _refused(error)
        case _:
            return PoolError("The pool failed to answer this request; asking again is safe.")


def _refused(error: sanic_errors.SanicException) -> PoolError:
    told = errors.InvalidRequest(f"{error.message}.".replace("..", "."), code="bad_request")
    told.status = error.status_code
    return told


def log_failure(name: str, error: BaseException) -> None:
    """Name the error and where it came from; never its message, which may quote what somebody asked."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    where = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames))
    log.error("%s failed: %s at %s", name, type(error).__name__, where)
