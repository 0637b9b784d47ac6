"""The one place where what a backend or a socket did wrong becomes a `serving.errors` error.

Three doors: an HTTP status that is not 200 (`refusal`), no connection (`connecting`), and one that broke (`lost`).
Statuses are read as vLLM means them: 400/422 a bad request, 503 a full queue, 401/403/404 a fault in the gateway's own
settings.

Invariant: no message holds a host, a key or text of the request; vLLM quotes a bad value as `input`, which is cut out.
"""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson

from serving.connections import Full
from serving.deadlines import Clock
from serving.errors import (
    BackendBroken,
    BackendBusy,
    BackendError,
    BackendOverloaded,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
)

FULL = frozenset({429, 503})
# Our own fault, not the client's: a wrong key, path or model name in the gateway's settings; 408 and 421 name the hop.
MISCONFIGURED = frozenset({401, 403, 404, 405, 407, 408, 421})
NOT_IMPLEMENTED = 501  # vLLM: this model cannot do what was asked; another replica of it would say the same
MAX_MESSAGE_CHARS = 500
MAX_RETRY_AFTER_S = 120.0  # the longest that OpenAI's client heeds (openai-python, MAX_RETRY_AFTER_DELAY)


def refusal(backend: str, status: int, headers: Mapping[str, str], body: bytes) -> BackendError:
    """The error for an answer whose status is not 200."""
    if status in FULL:
        return BackendOverloaded(backend, f"the backend is full (HTTP {status})", _retry_after(headers))
    if status == NOT_IMPLEMENTED or (400 <= status < 500 and status not in MISCONFIGURED):
        message, param = _reason(body)
        return BackendRejected(backend, message or f"the backend refused the request (HTTP {status})", status, param)
    return BackendUnavailable(backend, f"the backend answered HTTP {status}")


@contextmanager
def connecting(backend: str, seconds: float, clock: Clock) -> Iterator[float]:
    """Turn what goes wrong in a wait for a connection, `seconds` at most, into backend errors. Gives its deadline."""
    deadline = clock.begin()
    limit = clock.began + seconds
    try:
        yield min(deadline, limit)
    except Full as error:
        raise BackendBusy(backend, "every connection to the backend is in use") from error
    except TimeoutError as error:
        if deadline < limit:
            raise clock.overdue() from error
        raise BackendTimeout(backend, "connect", seconds) from error
    except (OSError, ValueError) as error:  # ValueError: a name that DNS cannot hold, a certificate
        raise BackendUnavailable(backend, "cannot connect to the backend") from error
    finally:
        clock.pause()


def lost(backend: str, *, begun: bool) -> BackendError:
    """The error for a connection that broke; `begun` says that the head of the answer had come."""
    if begun:
        return BackendBroken(backend, "the connection broke in the middle of the answer")
    return BackendUnavailable(backend, "the connection broke before the answer began")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, if the backend told them as a number that can be (vLLM sends none, proxies before it may)."""
    try:
        seconds = float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return min(seconds, MAX_RETRY_AFTER_S) if 0 <= seconds < math.inf else None


def _reason(body: bytes) -> tuple[str, str | None]:
    """Message and param of `{"error": {...}}`; empty when it is a string, as vLLM's 401, or no JSON at all."""
    try:
        error = orjson.loads(body)["error"]
        message, param = str(error["message"]), error.get("param")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", None
    return _without_input(message)[:MAX_MESSAGE_CHARS], _name(param)


def _without_input(message: str) -> str:
    """vLLM's validation messages list dicts of type, loc, msg and input; the complaint is the `msg` of each."""
    complaints: list[Any] = re.findall(r"'msg': (?:'([^']*)'|\"([^\"]*)\")", message)
    if complaints:
        return "; ".join(one or other for one, other in complaints)
    return message.split("'input':")[0]


def _name(param: object) -> str | None:
    return str(param).removeprefix("body.") if param else None
