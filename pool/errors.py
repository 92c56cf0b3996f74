"""Errors of the pool: each carries its HTTP status and OpenAI code; the docstring says what it means.

IamineError
  PoolError                      500 server_error
    InvalidRequest               400 invalid_request_error (names the parameter)
      ContextTooLong             400 context_length_exceeded
    AuthenticationFailed         401 invalid_api_key
    PermissionDenied             403
    NotFound                     404
      ModelNotFound              404 model_not_found
      ClaimCodeUnknown           404 claim_code_unknown
    MethodNotAllowed             405
    WorkerClaimed                409 worker_claimed
    IdempotencyKeyUsed           409 idempotency_key_used
    ResumeLost                   409 resume_lost
    ResumeMismatch               409 resume_mismatch
    PayloadTooLarge              413
    IdempotencyKeyReused         422 idempotency_key_reused
    RateLimited                  429 rate_limit_exceeded
    Unavailable                  503 (with Retry-After)
      DeadlineExceeded           503 deadline_exceeded
      AnswerLost                 503 answer_lost
"""

from iamine.errors import IamineError


class PoolError(IamineError):
    """The pool failed; the request itself may be fine."""

    status: int = 500
    type: str = "server_error"
    code: str | None = "internal_error"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.param = param
        if code is not None:
            self.code = code


class InvalidRequest(PoolError):
    """The request cannot be honoured as it stands; `param` names what is wrong."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_value"


class ContextTooLong(InvalidRequest):
    """Prompt and answer do not fit the context of any known model of that name."""

    code = "context_length_exceeded"


class AuthenticationFailed(PoolError):
    """No API key, or one that is not valid here."""

    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class PermissionDenied(PoolError):
    """The key is valid but may not do this."""

    status = 403
    type = "invalid_request_error"
    code = "permission_denied"


class NotFound(PoolError):
    """There is nothing at this address."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class ModelNotFound(NotFound):
    """No such model is known to this pool."""

    code = "model_not_found"


class ClaimCodeUnknown(NotFound):
    """No worker has this claim code now."""

    code = "claim_code_unknown"


class WorkerClaimed(PoolError):
    """Somebody has claimed this worker."""

    status = 409
    type = "invalid_request_error"
    code = "worker_claimed"


class MethodNotAllowed(PoolError):
    """The address exists, but not with this method."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class PayloadTooLarge(PoolError):
    """The body is larger than the pool accepts."""

    status = 413
    type = "invalid_request_error"
    code = "payload_too_large"


class IdempotencyKeyUsed(PoolError):
    """The answer to this Idempotency-Key was given, and its text is not kept."""

    status = 409
    type = "invalid_request_error"
    code = "idempotency_key_used"


class IdempotencyKeyReused(PoolError):
    """This Idempotency-Key came with another request before."""

    status = 422
    type = "invalid_request_error"
    code = "idempotency_key_reused"


class ResumeLost(PoolError):
    """The answer that Last-Event-ID names is not here any more."""

    status = 409
    type = "invalid_request_error"
    code = "resume_lost"


class ResumeMismatch(PoolError):
    """What the client has of an answer is not how it goes on here."""

    status = 409
    type = "invalid_request_error"
    code = "resume_mismatch"


class RateLimited(PoolError):
    """Too much was asked with this key at once or within a minute; `retry_after_s` says when to come back."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, hint: str | None = None, retry_after_s: float = 1.0) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class Unavailable(PoolError):
    """Nothing can serve this now; `retry_after_s` says when to come back."""

    status = 503
    code = "service_unavailable"
    retry_after_s: float = 5.0


class DeadlineExceeded(Unavailable):
    """Nothing could serve the request before its deadline."""

    code = "deadline_exceeded"


class AnswerLost(Unavailable):
    """The answer broke off and could not be continued; asking again is safe."""

    code = "answer_lost"
