"""A thread that does one piece of arithmetic after the other, for an event loop. Knows not what.

It starts with its first work, and ends with its worker; the process does not wait for it.
"""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class _Job(NamedTuple):
    work: Callable[[], Any]
    done: "asyncio.Future[Any]"


class Worker:
    """`nice` (0 to 19, see nice(1)) is how far it yields to the process's other threads."""

    def __init__(self, name: str, nice: int = 0) -> None:
        self._name, self._nice = name, nice
        self._jobs: SimpleQueue[_Job | None] | None = None

    async def do(self, work: Callable[[], T]) -> T:
        """What it returns or raises. A caller that is cancelled does not stop it."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue().put(_Job(work, done))
        return await done

    def _queue(self) -> "SimpleQueue[_Job | None]":
        if self._jobs is None:
            self._jobs = SimpleQueue()
            weakref.finalize(self, self._jobs.put, None)
            threading.Thread(target=_run, args=(self._jobs, self._nice), name=self._name, daemon=True).start()
        return self._jobs


def _run(jobs: "SimpleQueue[_Job | None]", nice: int) -> None:
    import faiss

    faiss.omp_set_num_threads(1)  # of this thread: its work is for one core
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + nice)
    while job := jobs.get():
        _do(job)
        del job  # what it holds may be large


def _do(job: _Job) -> None:
    outcome: Any = None
    failure: Exception | None = None
    try:
        outcome = job.work()
    except Exception as error:  # the caller's
        failure = error
    with suppress(RuntimeError):  # its loop was closed meanwhile
        job.done.get_loop().call_soon_threadsafe(_resolve, job.done, outcome, failure)


def _resolve(done: "asyncio.Future[Any]", outcome: Any, failure: Exception | None) -> None:
    if done.done():
        return
    if failure:
        done.set_exception(failure)
    else:
        done.set_result(outcome)
