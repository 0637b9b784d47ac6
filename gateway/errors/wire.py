"""The only table from failure to wire: status, body and headers, for whole answers and streams alike.

Anything that it does not know is a bug: it becomes a plain 500 with the request id and no details.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any

from gateway.errors.refusals import InvalidValue, Overloaded, Refusal, TimedOut, Unavailable, Unready
from gateway.state import Balance, StateUnavailable
from retrieval.embed import EmbedderUnavailable
from serving.errors import BackendBroken, BackendError, BackendOverloaded, BackendRejected, BackendTimeout

# Retry-after for failures that name no time of their own: long enough for a replica to come back from a hiccup.
PAUSE_S = 1.0
LEFT = 499  # nginx's status, for rows and logs alone, of a client that closed the connection first


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
    allow: str | None = None

    @classmethod
    def of(cls, error: BaseException, request_id: str) -> "Wire":
        """The table. Never raises; what it does not know is an internal error without details."""
        match error:
            case Refusal():
                after = error.retry_after if error.retry_after is not None else (PAUSE_S if error.retry else None)
                facts = (error.message, error.type, error.param, error.code, error.retry)
                return cls(error.status, *facts, after, error.balance, error.allow)
            case BackendError():
                return cls.of(_translate(error), request_id)
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
        """Retry headers as OpenAI's clients read them (openai-python, _base_client.py); RFC 9110's Allow, where due."""
        steer = {"x-should-retry": "true" if self.retry else "false"}
        if self.status == 401:
            steer["www-authenticate"] = "Bearer"
        if self.allow is not None:
            steer["allow"] = self.allow
        if self.retry_after is not None:
            # Rounded up: who comes back a moment early is refused again.
            steer["retry-after"] = str(max(1, ceil(self.retry_after)))
            steer["retry-after-ms"] = str(max(1, ceil(self.retry_after * 1000)))
        return steer


def _translate(error: BackendError) -> Refusal:
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
