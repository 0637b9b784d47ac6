"""Several gateways on one port: `tollgate serve --workers N` starts worker processes and replaces those that end.

Workers are fresh interpreters, not forks: torch, threads and SQLite do not survive a fork. Each is a whole gateway
(worker.py) on the socket that was taken here once, so the kernel gives a connection to whichever accepts it first. All
run on the settings that were checked at the start, until SIGHUP has them take up what is on disk; one that replaces
another starts with that, where it can be used. Knows no request: limits hold across the workers because the state does,
and a dead one's holds are settled by the others.

Invariants: a worker that ends while nobody asked for it is replaced, after a pause that grows when it does not last;
when none can start at all the command fails; no worker outlives this process, whatever ends it: the workers' standard
input ends with it.
"""

import asyncio
import logging
import os
import secrets
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway import templates
from gateway.cli.common import Failure
from gateway.live.changes import fixed
from gateway.metrics import ended
from gateway.settings import Settings, SettingsError, load
from prompts.errors import LibraryError

log = logging.getLogger("tollgate")

STEADY_S = 10.0  # a worker that served this long is replaced at once: it did not die of its start
PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
SETTLE_S = 15.0  # beyond the grace: to settle what was cut, flush the spans (5 s), close the state
AT_ONCE_S = 10.0  # to settle what a second signal cut


async def supervise(settings: Settings, file: Path, listener: socket.socket, count: int) -> None:
    """Keep `count` workers serving on `listener` until cancelled, then stop them with grace, or at once when cancelled
    again. Raises Failure when no worker can start. The settings came from `file`.
    """
    with TemporaryDirectory(prefix="tollgate-") as folder:
        workers = Workers(settings, file, listener, count, Path(folder))
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, workers.reload)
        try:
            await workers.run()
        finally:
            await workers.stop()


class Workers:
    """The worker processes by their numbers; `folder` is where they share their metrics."""

    def __init__(self, settings: Settings, file: Path, listener: socket.socket, count: int, folder: Path) -> None:
        self._settings, self._file, self._listener, self._count, self._folder = settings, file, listener, count, folder
        self._running: dict[int, Process] = {}
        self._serving: set[int] = set()
        self._behind: set[int] = set()  # those that were starting when the others were told to reload
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._served = False  # has any worker ever?
        self._failed = 0  # how many starts, before any served
        # Without a secret of its own each worker would salt the engine's prefix cache its own way.
        secret = os.environ.get("TOLLGATE_SECRET") or secrets.token_hex(32)
        self._environment = os.environ | {"TOLLGATE_SECRET": secret}

    async def run(self) -> None:
        """Until cancelled. Raises Failure when no worker can start."""
        self._keepers = [asyncio.create_task(self._keep(number)) for number in range(self._count)]
        done, _ = await asyncio.wait(self._keepers, return_when=asyncio.FIRST_EXCEPTION)
        for keeper in done:
            keeper.result()

    def reload(self) -> None:
        """Have each worker take up settings and prompts anew; one that is starting does as soon as it serves."""
        self._behind = self._running.keys() - self._serving
        for number in self._serving:
            self._send(self._running[number], signal.SIGHUP)

    async def stop(self) -> None:
        """End the workers with grace; those that remain are killed. A cancellation ends them at once."""
        self._stopping.set()
        self._listener.close()  # or connections that nobody accepts any more would wait instead of being refused
        try:
            await self._tell(signal.SIGTERM, self._settings.server.grace_s + SETTLE_S)
        except asyncio.CancelledError:
            await self._tell(signal.SIGQUIT, AT_ONCE_S)
            raise
        finally:
            self._signal(signal.SIGKILL)
            await asyncio.wait(self._keepers)

    async def _tell(self, number: signal.Signals, patience_s: float) -> None:
        """Send all a signal and wait for their end, at most so long."""
        self._signal(number)
        await asyncio.wait(self._keepers, timeout=patience_s)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._running.values():
            self._send(process, number)

    def _send(self, process: Process, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            process.send_signal(number)

    async def _keep(self, number: int) -> None:
        """Have worker `number` run until `stop`. Raises Failure."""
        pause = 0.0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                how = described(await self._run_one(number))
            except OSError as error:  # no memory or no process left for it
                how = str(error)
            if self._stopping.is_set():
                return
            self._give_up_if_none_starts()
            pause = next_pause(pause, time.monotonic() - began)
            log.warning("worker %d ended (%s); it is started again in %g s", number, how, pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _run_one(self, number: int) -> int:
        """Start a worker and wait for its end; returns its exit status, negative for a signal."""
        process = self._running[number] = await self._started(number)
        if self._stopping.is_set():  # `stop` did not see this one
            process.terminate()
        assert process.stdout
        if await process.stdout.readline():  # it says when it serves (and its own copies of the pipe stay open)
            self._served = True
            self._serving.add(number)
            if number in self._behind:
                self._behind.discard(number)
                self._send(process, signal.SIGHUP)
        status = await process.wait()
        self._serving.discard(number)
        del self._running[number]
        ended(self._folder, number)
        return status

    async def _started(self, number: int) -> Process:
        """Its settings are the first line of its standard input."""
        if self._served:
            self._settings = await asyncio.to_thread(on_disk, self._settings, self._file)
        arguments = (
            sys.executable,
            "-m",
            "gateway",
            "worker",
            self._listener.fileno(),
            number,
            self._file,
            self._folder,
        )
        process = await asyncio.create_subprocess_exec(
            *map(str, arguments),
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=(self._listener.fileno(),),
            env=self._environment,
        )
        assert process.stdin
        process.stdin.write(self._settings.model_dump_json().encode() + b"\n")
        return process

    def _give_up_if_none_starts(self) -> None:
        self._failed += 1
        if not self._served and self._failed >= self._count:
            raise Failure("no worker could start; the lines above say why")


def on_disk(before: Settings, file: Path) -> Settings:
    """The settings as they are in the file now; those from before where they cannot be taken up, as in a reload."""
    try:
        found = load(file)
        library = templates.library(found)
    except (SettingsError, LibraryError) as error:
        log.warning("a worker starts with the settings from before: %s", error)
        return before
    if faults := [*fixed(before, found), *templates.unknown(library, found), *templates.canary_faults(library, found)]:
        log.warning("a worker starts with the settings from before:\n%s", "\n".join(faults))
        return before
    return found


def next_pause(last: float, lived_s: float) -> float:
    """Seconds to wait before a worker that lived so long is replaced, after a `last` pause."""
    if lived_s >= STEADY_S:
        return 0.0
    return min(max(PAUSE_S, 2 * last), LONGEST_PAUSE_S)


def described(status: int) -> str:
    """An exit status for people."""
    return f"signal {-status}: {signal.strsignal(-status)}" if status < 0 else f"exit status {status}"
