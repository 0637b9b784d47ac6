"""How the gateway is served: uvicorn on uvloop and httptools, with bounds on what a connection may send.

Knows no route. Invariants: the port is taken before anything slow begins; a stop lets running answers finish for
`server.grace_s`, and a second one does not; what is cut is told so and settled; the process ends by returning, never by
a signal's default.
"""

import asyncio
import gc
import logging
import math
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from gateway.api.access import log as access
from gateway.api.connection import stopping
from gateway.cli.common import Failure
from gateway.cli.connection import Connection
from gateway.live.reloading import Refused
from gateway.settings import Settings

# Clients and proxies keep idle connections for 60 s; the side that sends requests must be the one that lets go first.
KEEP_ALIVE_S = 75
BACKLOG = 2048
# Objects made between two collections: a request makes some 2,000 and leaves hardly a cycle behind, so Python's 700 is
# work for nothing: a tenth of all CPU time or more (measured 8 to 24%).
COLLECT_EVERY = 20_000
STARTED_S = 0.1  # between two looks whether it has started
CUT_S = 5.0  # beyond the grace: for what was cut to be told and settled; a connection that reads nothing is left then


log = logging.getLogger("tollgate")


class Server(uvicorn.Server):
    """A uvicorn that is stopped by `stop()`; signals are its caller's business."""

    def __init__(self, app: FastAPI, settings: Settings, announce: Callable[[], None]) -> None:
        self._app, self._announce = app, announce
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,  # the edge writes its own, without queries
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=math.ceil(settings.server.grace_s + CUT_S),
                backlog=BACKLOG,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals alone (uvicorn would raise them again at its end, which kills the caller)."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.freeze()  # what is there now stays; looking through it again and again finds no garbage
        gc.set_threshold(COLLECT_EVERY)
        self._announce()

    def stop(self) -> None:
        """Take no more requests and let those that run finish, until `cut`."""
        self.should_exit = True
        runtime: Any = getattr(self._app.state, "runtime", None)  # not there before the start-up is over
        if runtime:
            runtime.draining = True

    def cut(self) -> None:
        """End the requests that still run; `stop` goes on when each has told its client and is settled."""
        for task in self.server_state.tasks:
            task.cancel(stopping())

    async def run_on(self, listener: socket.socket) -> None:
        """Serve on an open socket until `stop`. Raises Failure when the application does not start."""
        try:
            await self.serve(sockets=[listener])
        except SystemExit as error:
            raise Failure("the gateway did not start; the log says why") from error


class Form(logging.Formatter):
    """How a record looks; the access log's are lines that say all themselves."""

    def format(self, record: logging.LogRecord) -> str:
        return record.getMessage() if record.name == access.name else super().format(record)


def log_to(file: Path | None) -> None:
    """Send the logs to a file, or to standard error; libraries only speak up when something is wrong."""
    handler = logging.FileHandler(file) if file else logging.StreamHandler()
    handler.setFormatter(Form("%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    # What the lines do not show is not found out for each of them (docs.python.org/3/howto/logging.html#optimization).
    logging._srcfile = None
    logging.logThreads = logging.logMultiprocessing = False
    for name in ("tollgate", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.INFO)


def listen(host: str, port: int) -> socket.socket:
    """Take the port (0: any free one). Raises Failure."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        what = f"port {port} of {host} cannot be used ({error.strerror})"
        raise Failure(f"{what}; name another with --port, or stop what listens there") from error
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a client on this machine reaches it."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def free_port(host: str) -> int:
    """A port that is free now; whoever needs it must take it soon."""
    with listen(host, 0) as listener:
        return int(listener.getsockname()[1])


@asynccontextmanager
async def serving(
    app: FastAPI, settings: Settings, listener: socket.socket, announce: Callable[[], None] = lambda: None
) -> AsyncIterator["asyncio.Task[None]"]:
    """Serve for as long as the block lasts, then stop with grace; a second cancellation ends it at once.

    `announce` is called once it takes requests. The task ends before the block only when the application did not start
    (Failure).
    """
    server = Server(app, settings, announce)
    running = asyncio.create_task(server.run_on(listener))
    try:
        yield running
    finally:
        server.stop()
        try:
            await asyncio.wait({running}, timeout=settings.server.grace_s)
        finally:
            server.cut()
            await running


@contextmanager
def reloaded_by_signal(app: FastAPI) -> Iterator[None]:
    """SIGHUP takes up settings and prompts anew. After the block it is ignored: what stops is past that."""
    tasks: set[asyncio.Task[None]] = set()

    def reload() -> None:
        if not hasattr(app.state, "runtime"):  # it still starts, perhaps on what was there before
            loop.call_later(STARTED_S, reload)
            return
        task = asyncio.get_running_loop().create_task(_reload(app))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for task in tasks:
            task.cancel()


async def _reload(app: FastAPI) -> None:
    try:
        await app.state.runtime.reloading.reload()
    except Refused:
        pass  # the log says why
    except Exception:
        log.exception("a reload failed, and what was loaded before goes on")


@contextmanager
def cancelled_by_signals(*more: signal.Signals) -> Iterator[None]:
    """SIGINT, SIGTERM and `more` cancel the task that runs the block."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task
    numbers = (signal.SIGINT, signal.SIGTERM, *more)
    for number in numbers:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
