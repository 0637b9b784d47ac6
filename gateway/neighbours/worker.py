"""A thread that does one piece of arithmetic after the other, for an event loop. Knows not what.

It starts with its first work, and ends with its worker; the process does not wait for it. It is no nicer (nice(1)) than
the others: one that is, and is set aside by the kernel while it holds Python's lock, holds up all of them.
"""

import asyncio
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
    """`name` is the thread's."""

    def __init__(self, name: str) -> None:
        self._name = name
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
            threading.Thread(target=_run, args=(self._jobs,), name=self._name, daemon=True).start()
        return self._jobs


def _run(jobs: "SimpleQueue[_Job | None]") -> None:
    import faiss

    faiss.omp_set_num_threads(1)  # of this thread: its work is for one core
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
