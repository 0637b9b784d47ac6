"""How long to wait for a backend, and where that time went when it was too long.

Every wait is a deadline around one single `await`: a timeout or cancel scope that stays open across a `yield` would
fire in whatever task consumes the generator.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from serving.errors import BackendTimeout


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

    def __init__(self, backend: str, timeouts: Timeouts) -> None:
        self._backend = backend
        self._timeouts = timeouts
        self._time = asyncio.get_running_loop().time
        self._end = self._time() + timeouts.total
        self._phase, self._seconds = "first_token", timeouts.first_token
        self._left = timeouts.first_token

    def tick(self) -> None:
        """An event has come: from here on the time between two events counts."""
        self._phase, self._seconds = "between_tokens", self._timeouts.between_tokens
        self._left = self._timeouts.between_tokens

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """Bound one `await`. Raises BackendTimeout with the phase whose deadline passed."""
        began = self._time()
        scope = asyncio.timeout_at(min(began + self._left, self._end))
        try:
            async with scope:
                yield
        except TimeoutError as error:
            if not scope.expired():
                raise
            if self._end < began + self._left:
                raise BackendTimeout(self._backend, "total", self._timeouts.total) from error
            raise BackendTimeout(self._backend, self._phase, self._seconds) from error
        finally:
            self._left -= self._time() - began
