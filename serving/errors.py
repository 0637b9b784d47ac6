"""How a backend can fail, drawn as a tree. Foreign errors (sockets, HTTP, JSON) become these at the boundary.

BackendError
├── BackendUnavailable   no connection, or it answered 5xx / 401 / 403 / 404: another backend may do
├── BackendOverloaded    it answered 503 or 429: alive, but full
│   └── BackendBusy      it was not asked: every connection that we may have to it is in use
├── BackendTimeout       it was too slow; `phase` says where
├── BackendRejected      it answered 4xx: the request itself is at fault, another backend would say the same
└── BackendBroken        it began to answer and then broke: bad bytes, an error inside the stream, no end
"""


class BackendError(Exception):
    """Any failure of a backend. `backend` names it; the text holds no prompt, key or host."""

    def __init__(self, backend: str, message: str) -> None:
        super().__init__(message)
        self.backend = backend
        self.message = message


class BackendUnavailable(BackendError):
    """Raised when no answer came: refused, reset before the first event, 5xx, or a status of our own fault."""


class BackendOverloaded(BackendError):
    """Raised when the backend said it is full; `retry_after` in seconds if it told."""

    def __init__(self, backend: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(backend, message)
        self.retry_after = retry_after


class BackendBusy(BackendOverloaded):
    """Raised when no connection to the backend became free in time. It says nothing of the backend's health."""


class BackendTimeout(BackendError):
    """Raised when a deadline passed; `phase` is connect, first_token, between_tokens or total."""

    def __init__(self, backend: str, phase: str, seconds: float) -> None:
        super().__init__(backend, f"no {phase.replace('_', ' ')} within {seconds:g} s")
        self.phase = phase
        self.seconds = seconds


class BackendRejected(BackendError):
    """Raised when the backend refused the request as wrong (4xx); `param` names the field if it told."""

    def __init__(self, backend: str, message: str, status: int, param: str | None = None) -> None:
        super().__init__(backend, message)
        self.status = status
        self.param = param


class BackendBroken(BackendError):
    """Raised when a started stream broke: malformed or oversized events, an error event, no end marker."""
