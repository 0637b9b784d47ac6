"""When to stop asking a server that does not answer: so that its trouble costs a request nothing but the refusal.

Knows neither Redis nor requests. Closed: everybody asks. After FAILURES failures in a row it opens: for OPEN_S nobody
does, then one probe may, and each OPEN_S another, until one succeeds.
"""

import time
from collections.abc import Callable

FAILURES = 5  # in a row: one lost connection is no outage, five calls of 50 ms are a quarter of a second of silence
OPEN_S = 1.0  # a second of refusals at most after it is back; one probe a second is no load


class Breaker:
    """`clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._opens = 0.0  # when the next probe may go; read only while open

    def allows(self) -> bool:
        """Whether to ask now. Whoever does reports how it went; a probe that never reports is followed by the next."""
        if self._failures < FAILURES:
            return True
        if self._clock() < self._opens:
            return False
        self._opens = self._clock() + OPEN_S
        return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures == FAILURES:
            self._opens = self._clock() + OPEN_S
