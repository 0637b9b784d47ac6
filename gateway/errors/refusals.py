"""The tree of refusals: each says in a sentence when it is raised. Knows neither who fails nor what a client reads."""

from typing import ClassVar

from gateway.state import Balance


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
        allow: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or type(self).code
        self.retry_after = retry_after
        self.balance = balance  # of the limit that refused, for the headers
        self.allow = allow  # the methods that the path does take, as the header has them


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
    """Raised when the gateway's own state cannot answer (nothing is admitted that could not be accounted for), or the
    engine that holds a collection."""

    status, type, code, retry = 503, "overloaded_error", "state_unavailable", True


class ContentFilter(Refusal):
    """Raised when a guard refuses what came in or what would go out; the message names the guard, never the text."""

    code = "content_filter"


class OutputTruncated(Refusal):
    """Raised when the answer was cut by length and the policy is `error`."""

    status, type, code = 502, "api_error", "output_truncated"


class OutputInvalid(Refusal):
    """Raised when the answer does not satisfy its schema."""

    status, type, code = 502, "api_error", "output_invalid"
