"""Processes that can be ended: what might be slow is judged there, each question within a deadline.

Knows the conversation with `worker`, and no schema. jsonschema-rs holds the interpreter's lock while it works, so that
no thread of this process could go on beside it, and it cannot be interrupted.

Invariants: a question takes its deadline at most, once a process has it; whoever asks has one process at a time, and
those who wait take turns, so that one with many slow questions keeps nobody waiting longer than one of them; a process
that was ended, or ended by itself, is started anew by the next question; processes end with this one. Measured: 0.2 s
to start one, 0.15 ms a question.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from queue import LifoQueue
from threading import Lock
from typing import Final, NamedTuple

READY: Final = b"ready"  # what a process says first
PROCESSES: Final = 2  # one that is busy with something slow leaves another one
MEMORY: Final = 1024  # MiB of each
START_S: Final = 60.0  # on a busy machine
ROOT: Final = Path(__file__).parents[2]  # where the process finds this package, installed or not


class TimeUp(Exception):
    """The deadline passed before there was an answer."""


class Died(Exception):
    """The process ended over the question: it needed more memory than it may have, or is broken."""


class NoProcess(Exception):
    """None could be started: the machine has no room for one, or took too long. Says nothing of the question."""


class _Waiting(NamedTuple):
    """A question in the queue."""

    question: tuple[bytes, ...]
    deadline_s: float
    answer: "Future[bytes]"


class Workers:
    """Asked by any number of tasks, of any event loop. The first question starts a process."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(PROCESSES, "schemas")
        self._lock = Lock()
        self._waiting: dict[str, deque[_Waiting]] = {}  # by asker; whose turn is next comes first
        self._asking: set[str] = set()  # those who have a process
        self._free: LifoQueue[_Worker] = LifoQueue()
        for _ in range(PROCESSES):
            self._free.put(_Worker())

    async def ask(self, question: tuple[bytes, ...], deadline_s: float, asker: str = "") -> bytes:
        """Raises TimeUp, Died and NoProcess. Those of one `asker` wait for each other."""
        waiting = _Waiting(question, deadline_s, Future())
        with self._lock:
            self._waiting.setdefault(asker, deque()).append(waiting)
        self._threads.submit(self._serve)
        return await asyncio.wrap_future(waiting.answer)

    def _serve(self) -> None:
        """Answer what waits, until there is nothing but questions of askers who have a process."""
        while (turn := self._turn()) is not None:
            asker, (question, deadline_s, answer) = turn
            try:
                if answer.set_running_or_notify_cancel():  # not one whose asker has left
                    answer.set_result(self._ask(question, deadline_s))
            except Exception as error:
                answer.set_exception(error)
            finally:
                with self._lock:
                    self._asking.discard(asker)

    def _turn(self) -> tuple[str, _Waiting] | None:
        with self._lock:
            asker = next((one for one in self._waiting if one not in self._asking), None)
            if asker is None:
                return None
            queue = self._waiting.pop(asker)
            waiting = queue.popleft()
            if queue:
                self._waiting[asker] = queue  # behind all others
            self._asking.add(asker)
            return asker, waiting

    def _ask(self, question: tuple[bytes, ...], deadline_s: float) -> bytes:
        worker = self._free.get()  # there is one for each thread
        try:
            return worker.ask(question, deadline_s)
        finally:
            self._free.put(worker)


class _Worker:
    """One process, used by one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection

    def ask(self, question: tuple[bytes, ...], deadline_s: float) -> bytes:
        if self._process is None or self._process.poll() is not None:
            self._start()
        try:
            for part in question:
                self._line.send_bytes(part)
            if self._line.poll(deadline_s):
                return self._line.recv_bytes()
        except (EOFError, OSError) as error:
            self._end()
            raise Died from error
        self._end()
        raise TimeUp

    def _start(self) -> None:
        self._end()
        try:
            self._line, self._process = _started()
        except OSError as error:
            raise NoProcess from error
        try:
            ready = self._line.poll(START_S) and self._line.recv_bytes() == READY
        except (EOFError, OSError):
            ready = False
        if not ready:
            self._end()
            raise NoProcess

    def _end(self) -> None:
        if self._process is not None:
            self._line.close()
            self._process.kill()
            self._process.wait()
            self._process = None


def _started() -> tuple[Connection, subprocess.Popen[bytes]]:
    """A process and the line to it. Raises OSError."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "gateway.schemas.worker", str(theirs.fileno()), str(MEMORY)],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # it says so when it runs out of memory, and dies of it
        )
        return Connection(ours.detach()), process
