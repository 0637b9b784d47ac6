"""Which of several backends of one model to ask, and which to leave alone for a while.

Pure decisions on counts and a clock; nothing here waits or sends. The numbers are those of Envoy's outlier detection
(consecutive_5xx 5, base_ejection_time 30 s, max_ejection_time 300 s), except that each ejection doubles the last.

Invariants: `order` always names every backend, so a pool whose backends all failed still tries; an ejected backend that
has served its time is tried like any other, and one more failure ejects it again, for longer.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from serving.backend import Backend

EJECT_AFTER_FAILURES = 5
EJECT_SECONDS = 30.0
MAX_EJECT_SECONDS = 300.0


@dataclass(slots=True)
class _State:
    in_flight: int = 0
    last_used: int = 0
    failures: int = 0
    ejections: int = 0
    ejected_until: float = 0.0


class Pool:
    """Backends that serve one model, replicas of each other. `clock` gives seconds that never go back."""

    def __init__(self, backends: Sequence[Backend], clock: Callable[[], float] = time.monotonic) -> None:
        self.backends = tuple(backends)
        self._states = {backend: _State() for backend in self.backends}
        self._clock = clock
        self._turns = itertools.count(1)

    def order(self) -> list[Backend]:
        """All backends, best first: the fewest requests in flight, then the longest unused; the ejected ones last."""
        return sorted(self.backends, key=self._rank)

    def ejected(self, backend: Backend) -> bool:
        """Whether it failed too often and is still left alone."""
        return self._clock() < self._states[backend].ejected_until

    def failed(self, backend: Backend) -> None:
        """It could not answer. A request that it rejected as wrong is no failure of the backend."""
        state = self._states[backend]
        state.failures += 1
        if state.failures >= EJECT_AFTER_FAILURES and not self.ejected(backend):
            seconds = min(EJECT_SECONDS * 2**state.ejections, MAX_EJECT_SECONDS)
            state.ejected_until = self._clock() + seconds
            state.ejections += 1

    def succeeded(self, backend: Backend) -> None:
        """It answered: all is forgotten."""
        state = self._states[backend]
        state.failures = state.ejections = 0
        state.ejected_until = 0.0

    @contextmanager
    def using(self, backend: Backend) -> Iterator[Backend]:
        """Count one request as in flight for as long as the block lasts."""
        state = self._states[backend]
        state.in_flight += 1
        state.last_used = next(self._turns)
        try:
            yield backend
        finally:
            state.in_flight -= 1

    def in_flight(self, backend: Backend) -> int:
        return self._states[backend].in_flight

    def _rank(self, backend: Backend) -> tuple[bool, int, int]:
        state = self._states[backend]
        return self.ejected(backend), state.in_flight, state.last_used
