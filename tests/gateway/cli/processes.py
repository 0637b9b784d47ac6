"""Commands that run until they are told to stop, as processes of their own."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.gateway.cli.conftest import ROOT

START_S = 240.0  # the real engine on a busy machine
STOP_S = 60.0


class Running:
    """A command in a process group of its own. Lines of standard output come with a deadline."""

    def __init__(self, arguments: tuple[object, ...], log: Path) -> None:
        command = [sys.executable, "-m", "gateway", *map(str, arguments)]
        self.log = log
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT, start_new_session=True
            )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def line(self) -> str:
        """The next line it prints; fails with its errors when it ended instead."""
        line = self._lines.get(timeout=START_S)
        assert line, f"it ended: {self.log.read_text()[-3000:]}"
        return line

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_S)

    def ended(self) -> int:
        return self.process.wait(START_S)


@contextmanager
def running(*arguments: object, log: Path) -> Iterator[Running]:
    """A command for as long as the block lasts; what is left of it then is killed."""
    started = Running(arguments, log)
    try:
        yield started
    finally:
        with suppress(ProcessLookupError):  # all of its group have gone
            os.killpg(started.process.pid, signal.SIGKILL)
        started.process.wait()


def processes_with(word: str) -> list[int]:
    """Ids of the processes that have `word` in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:  # it has just gone
                continue
            if word.encode() in line:
                found.append(int(entry.name))
    return found


def children(pid: int) -> list[int]:
    """Ids of the processes that a process started and that still run."""
    found = [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]
    return [child for child in found if exists(child)]


def exists(pid: int) -> bool:
    """Whether it runs: one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
