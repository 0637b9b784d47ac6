"""The time that limits go by: the system's clock as it stood once, carried on by the time since boot.

A wall clock that is set a day forward would open tomorrow's budgets, one that is set back would reopen yesterday's. The
time since boot (CLOCK_BOOTTIME) is never set, runs on while a machine sleeps, and is the same for every process on it.
So the distance between the two, the `anchor`, is taken once per boot and kept with the state: every worker, and every
restart, tells the same time, and a step of the wall clock moves no window.

Knows no store and no time zone. Invariant: `now()` never goes back while the machine runs.
"""

import time
from collections.abc import Callable

# A wall clock this near to ours was only corrected (NTP steps are far smaller); one further away was set.
DRIFT_S = 2.0


def since_boot() -> float:
    """Seconds since the machine started, suspended time included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """Seconds since the epoch. `anchor` is the epoch time of the boot; None takes it from the wall clock as it is."""

    def __init__(
        self,
        anchor: float | None = None,
        wall: Callable[[], float] = time.time,
        running: Callable[[], float] = since_boot,
    ) -> None:
        self._wall, self._running = wall, running
        self.anchor = wall() - running() if anchor is None else anchor

    def now(self) -> float:
        return self.anchor + self._running()

    def off_s(self) -> float:
        """How far the wall clock is ahead of this one; beyond DRIFT_S somebody set it."""
        return self._wall() - self.now()
