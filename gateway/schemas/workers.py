"""Processes that can be ended: what might be slow is judged there, each question within a deadline.

Knows the conversation with `worker`, and no schema. jsonschema-rs holds the interpreter's lock while it works, so that
no thread of this process could go on beside it, and it cannot be interrupted.

Invariants: a question takes its deadline at most, once a process has it; a process that was ended, or ended by itself,
is started anew by the next question; processes end with this one. Measured: 0.2 s to start one, 0.15 ms a question.
"""

import asyncio
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from queue import LifoQueue
from typing import Final

READY: Final = b"ready"  # what a process says first
PROCESSES: Final = 2  # one that is busy with something slow leaves another one
MEMORY: Final = 1024  # MiB of each
START_S: Final = 60.0  # on a busy machine
ROOT: Final = Path(__file__).parents[2]  # where the process finds this package, installed or not


class TimeUp(Exception):
    """The deadline passed before there was an answer."""


class Died(Exception):
    """The process ended over the question: it needed more memory than it may have, or is broken."""


class Workers:
    """Asked by any number of tasks, of any event loop. The first question starts a process."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(PROCESSES, "schemas")
        self._free: LifoQueue[_Worker] = LifoQueue()
        for _ in range(PROCESSES):
            self._free.put(_Worker())

    async def ask(self, question: tuple[bytes, ...], deadline_s: float) -> bytes:
        """Raises TimeUp and Died."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, question, deadline_s)

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
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "gateway.schemas.worker", str(theirs.fileno()), str(MEMORY)],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # it says so when it runs out of memory, and dies of it
            )
        self._line = Connection(ours.detach())
        try:
            ready = self._line.poll(START_S) and self._line.recv_bytes() == READY
        except (EOFError, OSError):
            ready = False
        if not ready:
            self._end()
            raise Died

    def _end(self) -> None:
        if self._process is not None:
            self._line.close()
            self._process.kill()
            self._process.wait()
            self._process = None
