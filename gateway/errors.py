"""Every way a request can be refused or fail, drawn as a tree, and the only table from failure to wire.

    Refusal
    ├── Unauthenticated       no key, wrong key, revoked or expired
    ├── NotAllowed            the key may not use this model, prompt or collection
    ├── NotFound              unknown model, prompt, version, collection or route
    ├── InvalidValue          a malformed body, an unknown field, a bad variable
    ├── ContextLengthExceeded the prompt does not fit the context window
    ├── RequestTooLarge       one request is larger than its tenant may ever send
    ├── BodyTooLarge          more bytes than the server takes
    ├── UnsupportedEncoding   a compressed body
    ├── BodyTooSlow           the body did not arrive in time
    ├── WrongMethod           the path is known, the method is not
    ├── StillRunning          the request under this Idempotency-Key has no answer yet
    ├── KeyReused             this Idempotency-Key belongs to another request
    ├── NotKept               the answer under this Idempotency-Key was too large to keep
    ├── RateLimited           requests or tokens per minute used up
    ├── BudgetExceeded        a day's or month's budget used up
    ├── CacheOnly             the caller wanted a cached answer or none
    ├── Overloaded            gateway or backends full
    ├── Unavailable           every backend down
    ├── TimedOut              the backend was too slow
    ├── Unready               the gateway itself cannot answer: state or embedder not there
    ├── OutputTruncated       the answer was cut by length and the policy is `error`
    └── OutputInvalid         the answer does not satisfy its schema

Raisers give facts, never a status; constructors do not log. `Wire.of` knows the table; JSON answers and streams use the
same `body`. Anything outside the tree is a bug: it becomes a plain 500 with the request id and no details.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar

from gateway.state import Balance, StateUnavailable
from retrieval.embed import EmbedderUnavailable
from serving.errors import (
    BackendBroken,
    BackendError,
    BackendOverloaded,
    BackendRejected,
    BackendTimeout,
)


class Refusal(Exception):
    """A failure with a meaning for the client. The message says what to change, with the numbers."""

    status: ClassVar[int] = 400
    type: ClassVar[str] = "invalid_request_error"
    code: str = "invalid_value"
    retry: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        balance: Balance | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or type(self).code
        self.retry_after = retry_after
        self.balance = balance  # of the limit that refused, for the headers


class Unauthenticated(Refusal):
    """Raised when the request carries no key that is known, alive and whole."""

    status, code = 401, "invalid_api_key"


class NotAllowed(Refusal):
    """Raised when the key is good but may not do this."""

    status, type, code = 403, "permission_error", "not_allowed"


class NotFound(Refusal):
    """Raised for an unknown model, prompt, version, collection or route; `code` says which."""

    status, code = 404, "not_found"


class InvalidValue(Refusal):
    """Raised when the body, a field or a variable is wrong; `param` names it."""


class ContextLengthExceeded(Refusal):
    """Raised when the prompt leaves no room for an answer in the model's window."""

    code = "context_length_exceeded"


class RequestTooLarge(Refusal):
    """Raised when no refill of a budget could ever admit this request."""

    status, code = 413, "request_too_large"


class BodyTooLarge(Refusal):
    """Raised when the body has more bytes than the server takes."""

    status, code = 413, "body_too_large"


class UnsupportedEncoding(Refusal):
    """Raised when the body is compressed: a small one could unfold into gigabytes."""

    status, code = 415, "unsupported_encoding"


class BodyTooSlow(Refusal):
    """Raised when the body has not arrived in time."""

    status, code, retry = 408, "body_timeout", True


class WrongMethod(Refusal):
    """Raised when the path is known and the method is not."""

    status, code = 405, "method_not_allowed"


class StillRunning(Refusal):
    """Raised when the first request under an Idempotency-Key still runs: its answer is there soon, and free."""

    status, code, retry = 409, "idempotency_in_progress", True


class KeyReused(Refusal):
    """Raised when an Idempotency-Key comes with another request than before."""

    status, code = 422, "idempotency_key_reused"


class NotKept(Refusal):
    """What an Idempotency-Key stands for when its answer was given once and was too large to keep."""

    status, code = 409, "idempotency_answer_not_kept"


class RateLimited(Refusal):
    """Raised when the minute's requests or tokens are used up: waiting helps."""

    status, type, code, retry = 429, "rate_limit_error", "rate_limit_exceeded", True


class BudgetExceeded(Refusal):
    """Raised when the day's or month's budget is used up: an automatic retry does not help."""

    status, type, code = 429, "insufficient_quota", "budget_exceeded"


class CacheOnly(Refusal):
    """Raised when `gateway.cache` is `only` and nothing is cached (HTTP's only-if-cached, RFC 9111 section 5.2.1.7)."""

    status, type, code = 504, "api_error", "not_cached"


class Overloaded(Refusal):
    """Raised when the gateway or every backend is full."""

    status, type, code, retry = 503, "overloaded_error", "overloaded", True


class Unavailable(Refusal):
    """Raised when no backend answered."""

    status, type, code, retry = 502, "api_error", "backend_unavailable", True


class TimedOut(Refusal):
    """Raised when the backend was too slow."""

    status, type, code, retry = 504, "api_error", "backend_timeout", True


class Unready(Refusal):
    """Raised when the gateway's own state cannot answer: nothing is admitted that could not be accounted for."""

    status, type, code, retry = 503, "overloaded_error", "state_unavailable", True


class OutputTruncated(Refusal):
    """Raised when the answer was cut by length and the policy is `error`."""

    status, type, code = 502, "api_error", "output_truncated"


class OutputInvalid(Refusal):
    """Raised when the answer does not satisfy its schema."""

    status, type, code = 502, "api_error", "output_invalid"


# Retry-after for failures that name no time of their own: long enough for a replica to come back from a hiccup.
PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Wire:
    """A failure as a client sees it: status, body and the headers that steer its retries."""

    status: int
    message: str
    type: str
    param: str | None
    code: str | None
    retry: bool
    retry_after: float | None
    balance: Balance | None = None

    @classmethod
    def of(cls, error: BaseException, request_id: str) -> "Wire":
        """The table. Never raises; what it does not know is an internal error without details."""
        match error:
            case Refusal():
                after = error.retry_after if error.retry_after is not None else (PAUSE_S if error.retry else None)
                facts = (error.message, error.type, error.param, error.code, error.retry)
                return cls(error.status, *facts, after, error.balance)
            case BackendError():
                return cls.of(translate(error), request_id)
            case EmbedderUnavailable():
                return cls.of(Unready("The embedder is not there, so nothing can be retrieved just now."), request_id)
            case StateUnavailable():
                away = "The gateway's state cannot be read just now, so nothing is admitted; try again."
                return cls.of(Unready(away), request_id)
        message = f"The gateway failed on this request; its log has the cause under {request_id}."
        return cls(500, message, "api_error", None, "internal_error", False, None)

    def body(self) -> dict[str, Any]:
        """OpenAI's error object."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """Retry headers as OpenAI's clients read them (openai-python, _base_client.py)."""
        steer = {"x-should-retry": "true" if self.retry else "false"}
        if self.status == 401:
            steer["www-authenticate"] = "Bearer"
        if self.retry_after is not None:
            # Rounded up: who comes back a moment early is refused again.
            steer["retry-after"] = str(max(1, ceil(self.retry_after)))
            steer["retry-after-ms"] = str(max(1, ceil(self.retry_after * 1000)))
        return steer


def translate(error: BackendError) -> Refusal:
    """What a backend's failure means to the client; but for a refused request's reason, inner texts stay inside."""
    match error:
        case BackendRejected():
            return InvalidValue(f"The model refused the request: {error.message}", param=error.param)
        case BackendOverloaded():
            return Overloaded("Every backend of this model is full; try again later.", retry_after=error.retry_after)
        case BackendTimeout():
            return TimedOut(f"The backend gave {error.message}.")
        case BackendBroken():
            return Unavailable("The backend's answer broke off; what was sent is incomplete.")
    return Unavailable("No backend of this model answers.")
