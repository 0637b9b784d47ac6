"""`tollgate worker`: one of the processes of `tollgate serve --workers N`, a whole gateway on its starter's socket.

Standard input is a leash (see workers.py): its first line has the settings, and it ends when the starter does, however
that died; the worker then stops as if told to. SIGTERM stops it with grace, however often it comes, for a service
manager may send it to every process; SIGQUIT after it cuts what still runs. SIGHUP has it reload, once it serves. What
else a terminal sends to every process is the starter's to judge. On standard output it says once that it serves;
whatever else is printed goes to the log.
"""

import asyncio
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import uvloop

from gateway.app import create_app
from gateway.cli.server import log_to, reloaded_by_signal, serving
from gateway.cli.workers import SETTLE_S
from gateway.metrics import share
from gateway.settings import Settings, load


def worker(listener: int, number: int, config: Path, folder: Path) -> None:
    """Serve on the open socket `listener`; not for people: `serve --workers` starts it. `config` is read by reloads."""
    for from_terminal in (signal.SIGINT, signal.SIGHUP):
        signal.signal(from_terminal, signal.SIG_IGN)
    settings = Settings.model_validate_json(sys.stdin.buffer.readline())
    leash = Leash(settings.server.grace_s + SETTLE_S)
    share(folder, number)
    log_to(None)
    with suppress(asyncio.CancelledError):
        uvloop.run(_serve(settings, config, socket.socket(fileno=listener), _announcement()))
    if leash.broken:
        shutil.rmtree(folder, ignore_errors=True)  # its owner cannot any more


async def _serve(settings: Settings, config: Path, listener: socket.socket, announce: Callable[[], None]) -> None:
    app = create_app(settings, partial(load, config), _others(os.getppid()))
    with _stopped_by_signals(), reloaded_by_signal(app):
        async with serving(app, settings, listener, announce) as running:
            await asyncio.wait({running})


def _others(starter: int) -> Callable[[], None]:
    """What has the other workers reload, too: the starter passes the signal on."""

    def tell() -> None:
        if os.getppid() == starter:
            os.kill(starter, signal.SIGHUP)

    return tell


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """The first SIGTERM cancels the task that runs the block, and so does each SIGQUIT."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task

    def once() -> None:
        loop.add_signal_handler(signal.SIGTERM, lambda: None)
        task.cancel()

    loop.add_signal_handler(signal.SIGTERM, once)
    loop.add_signal_handler(signal.SIGQUIT, task.cancel)
    yield


class Leash:
    """Ends this process when standard input ends: as SIGTERM does, and by force when that took `patience_s`.

    In a thread, so that an event loop that hangs does not keep the process either.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s, self.broken = patience_s, False
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while os.read(0, 1):
            pass
        self.broken = True
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self._patience_s)
        os._exit(1)


def _announcement() -> Callable[[], None]:
    """What says on standard output that it serves. From now on nothing else is written there."""
    out = os.dup(1)
    os.dup2(2, 1)

    def say() -> None:
        os.write(out, b"serving\n")
        os.close(out)

    return say
