"""Processes that run ahead of others for a while, so that a wait is their own and not another program's."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from benchmarks.running import Process

FIRST = os.sched_param(10)  # any real-time priority is ahead of everything that has none


@contextmanager
def preferred(processes: Sequence[Process]) -> Iterator[None]:
    """These and what is started meanwhile are scheduled first (SCHED_RR). Does nothing where that is not permitted."""
    _schedule(processes, os.SCHED_RR, FIRST)
    try:
        yield
    finally:
        _schedule(processes, os.SCHED_OTHER, os.sched_param(0))


def _schedule(processes: Sequence[Process], policy: int, priority: os.sched_param) -> None:
    for thread in (0, *(thread for process in processes for thread in process.threads())):
        with suppress(PermissionError, ProcessLookupError):  # a thread may have ended
            os.sched_setscheduler(thread, policy, priority)
