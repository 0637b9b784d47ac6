"""Files to documents through a process with limits, which is started anew when it dies of one of them.

Knows the conversation with `worker`, and no format.

Invariants: nothing that a file holds can take more memory or processor time than its limits, or end this process. A
document at which the process dies is the failure of that document alone. It is tried once more in a fresh process,
unless it was the first there or ran out of time: what the ones before left in memory must not count against it.

Measured: 0.15 s to start a process, 0.5 ms a document more than parsing takes.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import Any, Final, Self

import orjson

from retrieval.document import Block, Document, Section
from retrieval.parsing.limits import Limits
from retrieval.parsing.worker import READY

PATIENCE_S: Final = 600.0  # of silence: on a busy machine a process may wait long for its processor time
ROOT: Final = Path(__file__).parents[2]  # where the process finds this package, installed or not


@dataclass(frozen=True, slots=True)
class Parsed:
    """One document of a file: what it became, or the `failure`; neither where it was not wanted. `digest` is that of
    its bytes and its id, "" where what failed is the file itself; `at` says where in the file it is."""

    id: str
    digest: str = ""
    at: str = ""
    document: Document | None = None
    failure: str = ""


class _Died(Exception):
    """The process ended, fell silent or ran out of memory over a document."""


class Sandbox:
    """A context manager, used from one thread. The process is started by the first file."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._process: subprocess.Popen[bytes] | None = None
        self._worker: Connection
        self._served = 0  # documents, by this process
        self._current = Parsed("")  # what the process has in hand

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process. Another file starts another one."""
        if self._process:
            self._worker.close()
            self._process.kill()
            self._process.wait()
            self._process = None

    def read(self, descriptor: int, name: str, wanted: Callable[[str], bool]) -> Iterator[Parsed]:
        """The documents of an open file of a known format; those whose digest is not wanted are not parsed.

        Raises OSError where the process cannot be started.
        """
        done = 0
        while True:
            try:
                for parsed in self._documents(descriptor, name, done, wanted):
                    yield parsed
                    done += 1
                return
            except _Died as death:
                failed, served = replace(self._current, failure=str(death)), self._served
                self.close()
            if served == 0 or failed.failure == self._limits.out_of_time:
                yield failed
                done += 1
                if not failed.digest:
                    return

    def _documents(self, descriptor: int, name: str, skip: int, wanted: Callable[[str], bool]) -> Iterator[Parsed]:
        self._start()
        os.lseek(descriptor, 0, os.SEEK_SET)
        self._current = Parsed(name)
        self._send(orjson.dumps({"id": name, "skip": skip}))
        self._hand_over(descriptor)
        while heard := self._hear():
            self._current = self._survived(Parsed(**heard) if "digest" in heard else Parsed(name, **heard))
            if self._current.digest and wanted(self._current.digest):
                self._send(b"1")
                self._current = self._survived(_completed(self._current, self._hear()))
            elif self._current.digest:
                self._send(b"0")
            yield self._current
            self._served += 1
            self._current = Parsed(name)

    def _survived(self, parsed: Parsed) -> Parsed:
        if parsed.failure == self._limits.out_of_memory:
            raise _Died(parsed.failure)
        return parsed

    def _start(self) -> None:
        if self._process:
            return
        ours, theirs = socket.socketpair()
        arguments = map(str, (theirs.fileno(), *astuple(self._limits)))
        with theirs:
            self._process = subprocess.Popen(
                # -P: the folder that this command is run in may be full of strangers' files, some of them *.py.
                [sys.executable, "-P", "-m", "retrieval.parsing.worker", *arguments],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # parsers grumble about every oddity of a file
            )
        self._worker, self._served = Connection(ours.detach()), 0
        try:
            ready = self._worker.poll(PATIENCE_S) and self._worker.recv_bytes() == READY
        except (EOFError, OSError):
            ready = False
        if not ready:
            self.close()
            raise OSError("the process that parses does not start: try `python -m retrieval.parsing.worker 1 1024 30`")

    def _send(self, message: bytes) -> None:
        try:
            self._worker.send_bytes(message)
        except OSError as error:
            raise _Died(self._epitaph()) from error

    def _hand_over(self, descriptor: int) -> None:
        try:
            send_handle(self._worker, descriptor, None)
        except OSError as error:
            raise _Died(self._epitaph()) from error

    def _hear(self) -> dict[str, Any]:
        try:
            if self._worker.poll(PATIENCE_S):
                heard: dict[str, Any] = orjson.loads(self._worker.recv_bytes())
                return heard
        except (EOFError, OSError, ValueError) as error:
            raise _Died(self._epitaph()) from error
        raise _Died(f"took more than {PATIENCE_S:.0f} s to read: split it")

    def _epitaph(self) -> str:
        assert self._process is not None
        code = self._process.wait()
        if code == -signal.SIGXCPU:
            return self._limits.out_of_time
        how = signal.Signals(-code).name if code < 0 else f"status {code}"
        most = f"{self._limits.memory:,} MiB of memory"
        return f"ended its parser ({how}): it is broken or needs more than {most}; repair it or split it"


def _completed(announced: Parsed, heard: Mapping[str, Any]) -> Parsed:
    if "document" not in heard:
        return replace(announced, failure=heard["failure"])
    return replace(announced, document=_document(heard["document"]))


def _document(fields: Mapping[str, Any]) -> Document:
    sections = tuple(_section(section) for section in fields["sections"])
    return Document(**{**fields, "sections": sections, "access": tuple(fields["access"])})


def _section(fields: Mapping[str, Any]) -> Section:
    blocks = tuple(Block(**block) for block in fields["blocks"])
    return Section(**{**fields, "heading_path": tuple(fields["heading_path"]), "blocks": blocks})
