"""A TCP proxy that spoils the way to a real server: Redis, a backend, anything that listens.

It runs in a thread of its own, so that plain and asynchronous tests use it alike. Each fault can be switched while
connections are open, holds for those and for new ones, and lasts until `heal`; faults of different kinds add up.

    with proxied(redis_url) as proxy:      # proxy.url is redis_url by way of the proxy
        proxy.slow(0.2)
        proxy.heal()

Knows no protocol above TCP. Invariants: bytes are never changed, lost or reordered on a connection that lives (what a
blackhole keeps arrives after `heal`, as TCP's own retransmissions would); a client's end (FIN) reaches the server.
"""

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Self, TypeVar
from urllib.parse import urlsplit

from tests.fakes.background import running

T = TypeVar("T")
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]

PIECE = 65536  # bytes read at once
WINDOW = 64  # pieces under way one way, before their sender has to wait
POLL_S = 0.001
NO_END = 2**63  # bytes: more than ever pass


class Proxy:
    """The faults. Every method returns once its fault is in force."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._links: set[_Link] = set()
        self.accepted = 0  # connections, ever
        self.flows = asyncio.Event()
        self._clear()

    @property
    def url(self) -> str:
        user, at, _ = self._target.netloc.rpartition("@")
        return self._target._replace(netloc=f"{user}{at}127.0.0.1:{self.port}").geturl()

    def slow(self, seconds: float) -> None:
        """Each piece arrives that much later, either way: a round trip takes twice that."""
        self._switch(lambda: setattr(self, "latency", seconds))

    def blackhole(self) -> None:
        """Connections are accepted and kept, and nothing passes."""
        self._switch(self.flows.clear)

    def reset(self) -> None:
        """Every connection is reset, and so is every new one as soon as it is made."""
        self._switch(lambda: setattr(self, "refusing", True), _Link.reset)

    def half_close(self) -> None:
        """The server seems to have ended its side: no more of it arrives, while the client's bytes still pass."""
        self._switch(lambda: setattr(self, "halved", True), _Link.end)

    def cut(self, after: int) -> None:
        """Each connection is reset once `after` more bytes of the server have arrived at the client."""
        self._switch(lambda: setattr(self, "quota", after), lambda link: setattr(link, "quota", after))

    def heal(self) -> None:
        """No fault any more: what was broken stays broken, new connections are whole."""
        self._switch(self._clear, lambda link: setattr(link, "quota", NO_END))

    def open(self) -> int:
        """How many connections there are."""
        return len(self._links)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        while self._links:
            for link in list(self._links):
                link.reset()
            await asyncio.sleep(POLL_S)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            if self.refusing:
                raise ConnectionRefusedError
            server = await asyncio.open_connection(self._target.hostname, self._target.port)
        except OSError:
            _abort(writer)
            return
        link = _Link(self, (reader, writer), server)
        self._links.add(link)
        await link.run()
        self._links.discard(link)

    def _clear(self) -> None:
        self.latency, self.refusing, self.halved, self.quota = 0.0, False, False, NO_END
        self.flows.set()

    def _switch(self, change: Callable[[], object], each: "Callable[[_Link], object]" = id) -> None:
        """Make the change, and what it means for each connection, in the proxy's own thread."""

        async def switched() -> None:
            change()
            for link in list(self._links):
                each(link)

        asyncio.run_coroutine_threadsafe(switched(), self._loop).result()


class _Link:
    """One client's connection and the one made for it. `quota`: bytes that may still reach the client."""

    def __init__(self, proxy: Proxy, client: Stream, server: Stream) -> None:
        self._proxy, self._client, self._server, self.quota = proxy, client, server, proxy.quota
        self._ended = False  # the client was told that the server's side has ended

    async def run(self) -> None:
        """Return when both ways have ended, or it was reset."""
        self._tasks = [
            asyncio.create_task(self._pass(self._client[0], self._to_server)),
            asyncio.create_task(self._pass(self._server[0], self._to_client)),
        ]
        if self._proxy.halved:
            self.end()
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        if any(not task.cancelled() and task.exception() for task in done):
            self.reset()
            await asyncio.wait(self._tasks)
        for _, writer in (self._client, self._server):
            writer.close()

    def reset(self) -> None:
        for _, writer in (self._client, self._server):
            _abort(writer)
        for task in self._tasks:
            task.cancel()

    def end(self) -> None:
        """Tell the client that the server's side has ended."""
        if not self._ended:
            self._ended = True
            self._client[1].write_eof()

    async def _pass(self, source: asyncio.StreamReader, deliver: Callable[[bytes], Awaitable[None]]) -> None:
        """Deliver what comes, each piece when it is due, to its end (an empty piece)."""
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(WINDOW)
        now = asyncio.get_running_loop().time
        async with asyncio.TaskGroup() as both:
            both.create_task(_collect(source, pieces))
            data = b"-"
            while data:
                arrived, data = await pieces.get()
                await asyncio.sleep(arrived + self._proxy.latency - now())
                await self._proxy.flows.wait()
                await deliver(data)

    async def _to_server(self, data: bytes) -> None:
        writer = self._server[1]
        writer.write(data) if data else writer.write_eof()
        await writer.drain()

    async def _to_client(self, data: bytes) -> None:
        writer = self._client[1]
        if not data:
            self.end()
        elif not self._ended:
            writer.write(data[: self.quota])
            await writer.drain()
            self.quota -= len(data)
        if self.quota <= 0:
            await _arrived(writer)
            self.reset()


async def _collect(source: asyncio.StreamReader, pieces: asyncio.Queue[tuple[float, bytes]]) -> None:
    """Every piece with the time at which it came; an empty one is the end."""
    data = b"-"
    while data:
        data = await source.read(PIECE)
        await pieces.put((asyncio.get_running_loop().time(), data))


def _abort(writer: asyncio.StreamWriter) -> None:
    """Close with a reset (socket(7), SO_LINGER of 0 s)."""
    raw: socket.socket = writer.get_extra_info("socket")
    if raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _arrived(writer: asyncio.StreamWriter) -> None:
    """Return once the other side's kernel has all that was written: a reset throws away what is under way (tcp(7))."""
    raw: socket.socket = writer.get_extra_info("socket")
    # The kernel tells nobody when it is done; one has to ask.
    while raw.fileno() >= 0 and struct.unpack("i", fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]:  # noqa: ASYNC110
        await asyncio.sleep(POLL_S)


@contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    """A proxy before the server that `url` names (scheme://[user@]host:port/...), for as long as the block lasts."""
    with running(Proxy(url)) as proxy:
        yield proxy
