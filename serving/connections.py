"""The connections to one server: which one a request gets, and when a new one is opened or an old one closed.

Knows no HTTP and no deadline but the one it is given.

Invariants: at most `max_connections` are lent, kept or being opened, each in one of `limit` slots; a slot is passed on
or freed in the same turn of the loop in which it is given back, so that no cancellation can lose it; somebody waits
only while every slot is lent; `give` never waits.
"""

import asyncio
import ssl
from collections import deque
from contextlib import suppress

from serving.address import Address
from serving.connection import Connection

# vLLM is started with 120 s (VLLM_HTTP_TIMEOUT_KEEP_ALIVE); the client must let go first, or it meets closed sockets.
KEEPALIVE_SECONDS = 60.0


class Full(Exception):
    """Every connection is in use, and none became free in time."""


class Connections:
    """Connections to the server at `url`, `limit` at most."""

    def __init__(self, url: str, limit: int) -> None:
        self._url, self._limit = url, limit
        self._tls: ssl.SSLContext | None = None  # reading the system's certificates takes milliseconds
        self._slots = 0  # taken
        self._idle: dict[Connection, float] = {}  # until when; the last is the one used last
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._live: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed: asyncio.Future[None] | None = None

    def kept(self) -> Connection | None:
        """The connection used last, if one is kept. Every connection that is taken is given back, once."""
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.open:
                return connection
            self._slots -= 1  # the server has just closed it
        return None

    async def take(self, deadline: float) -> Connection:
        """A kept connection, or a new one, or the first that another gives back. `deadline` is in the loop's time.

        Raises Full, TimeoutError, and OSError or ValueError when it cannot connect.
        """
        connection = self.kept() or await self._slot(deadline)
        if connection is not None:
            return connection
        try:
            return await self._connect(deadline)
        except BaseException:
            self._pass_on(None)
            raise

    async def renew(self, connection: Connection, deadline: float) -> Connection:
        """A new one in the place of one that was taken, which is still to be given back if this raises (as `take`)."""
        connection.abort()
        return await self._connect(deadline)

    def give(self, connection: Connection) -> None:
        """Take back what was taken: kept when its answer was read to the end, else closed at once."""
        if connection.reusable and self._closed is None:
            self._pass_on(connection)
        else:
            connection.abort()
            self._pass_on(None)

    async def aclose(self) -> None:
        """Close every connection, those in use included."""
        loop = asyncio.get_running_loop()
        self._closed = self._closed or loop.create_future()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._live):
            connection.abort()
        if self._live:
            await asyncio.shield(self._closed)

    async def _slot(self, deadline: float) -> Connection | None:
        """Wait for what another gives back: its connection, or None for the right to open one."""
        if self._slots < self._limit:
            self._slots += 1
            return None
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout_at(deadline):
                return await self._passed(waiter)
        except TimeoutError:
            raise Full from None

    async def _passed(self, waiter: asyncio.Future[Connection | None]) -> Connection | None:
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                with suppress(ValueError):
                    self._waiting.remove(waiter)
            else:  # it was given and cancelled in the same turn of the loop
                self._pass_on(waiter.result())
            raise

    def _pass_on(self, connection: Connection | None) -> None:
        """Give a connection or, without one, its slot to who has waited longest, or keep it."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if connection is None:
            self._slots -= 1
            return
        until = asyncio.get_running_loop().time() + KEEPALIVE_SECONDS
        self._idle[connection] = until
        if self._sweeper is None:
            self._sweep_at(until)

    async def _connect(self, deadline: float) -> Connection:
        self._require_open()
        to = Address.parse(self._url)
        if to.tls and self._tls is None:
            self._tls = ssl.create_default_context()
        async with asyncio.timeout_at(deadline):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._forget), to.host, to.port, ssl=self._tls
            )
        if connection.open:
            self._live.add(connection)
        if self._closed is not None:
            connection.abort()
            self._require_open()
        return connection

    def _require_open(self) -> None:
        if self._closed is not None:
            raise ConnectionAbortedError("the client is closed")

    def _forget(self, connection: Connection) -> None:
        """Its socket is closed."""
        self._live.discard(connection)
        if self._idle.pop(connection, None) is not None:
            self._slots -= 1
        if self._closed is not None and not self._live and not self._closed.done():
            self._closed.set_result(None)

    def _sweep(self) -> None:
        """Close what has not been used for long."""
        self._sweeper = None
        now = asyncio.get_running_loop().time()
        for connection, until in list(self._idle.items()):
            if until > now:
                self._sweep_at(until)
                return
            del self._idle[connection]
            self._slots -= 1
            connection.abort()

    def _sweep_at(self, when: float) -> None:
        self._sweeper = asyncio.get_running_loop().call_at(when, self._sweep)
