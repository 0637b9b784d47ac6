"""How long to wait for a backend, and where that time went when it was too long.

Pure arithmetic on the loop's clock: nothing here waits or sets a timer. Whoever waits for the backend asks `begin`
until when, and says with `pause` that the wait is over.
"""

import asyncio
from dataclasses import dataclass

from serving.errors import BackendTimeout

# From the last event to the end of the body, which vLLM writes at once; a proxy that keeps it open delays no more.
ENDING_S = 1.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, from the request to its first event, between two events, and for the whole answer.

    `connect` 5 s and `total` 600 s are what OpenAI's client uses. A first token may wait for a queue and a long prompt.
    """

    connect: float = 5.0
    first_token: float = 120.0
    between_tokens: float = 60.0
    total: float = 600.0


class Clock:
    """The deadlines of one request, on the running loop's clock.

    A phase counts only the seconds spent waiting for the backend, so a slow reader of the answer does not use them up;
    `tick` says that an event has come and the next phase begins. `total` is wall time.
    """

    __slots__ = ("_backend", "_end", "_left", "_phase", "_time", "_timeouts", "began")

    def __init__(self, backend: str, timeouts: Timeouts) -> None:
        self._backend = backend
        self._timeouts = timeouts
        self._time = asyncio.get_running_loop().time
        self.began = self._time()
        self._end = self.began + timeouts.total
        self._phase = "first_token"
        self._left = timeouts.first_token

    def tick(self) -> None:
        """An event has come: from here on the time between two events counts."""
        self._phase = "between_tokens"
        self._left = self._timeouts.between_tokens

    def ending(self) -> None:
        """The last event has come: only the end of the body may still be waited for."""
        self._end = min(self._end, self._time() + ENDING_S)

    def begin(self) -> float:
        """A wait begins; returns when it must end, in the loop's time."""
        self.began = self._time()
        return min(self.began + self._left, self._end)

    def pause(self) -> None:
        """The wait is over, and what went wrong in it was told."""
        self._left -= self._time() - self.began

    def overdue(self) -> BackendTimeout:
        """The error for the deadline that this wait was for."""
        if self._end < self.began + self._left:
            return BackendTimeout(self._backend, "total", self._timeouts.total)
        return BackendTimeout(self._backend, self._phase, self._seconds())

    def _seconds(self) -> float:
        return self._timeouts.first_token if self._phase == "first_token" else self._timeouts.between_tokens
