"""One kept-alive HTTP/1.1 connection as a client sees it (RFC 9112): a request goes out, its answer's bytes come back.

httptools (llhttp, the parser of Node.js) reads the HTTP. This module knows neither URLs nor what the bytes mean, and
does not decide whether the connection is used again; `serving.connections` does.

Invariants: requests go out one after the other; bytes are handed over raw and in order, and what came before a break
is handed over before it is told; at most `READ_AHEAD` and one read of the socket are kept for a slow reader; head,
trailers and chunk extensions are bounded; only `ask` and `piece` wait, and in one place. The one timer of a connection
is set anew only when it would ring too late, which is rare: most waits cost no timer.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Any

import httptools

from serving.deadlines import Clock

READ_AHEAD = 64 * 1024  # bytes of body; what asyncio's own streams keep by default
# Bytes without any of the body: a head, trailers. nginx and h11 take heads of 8 to 100 KiB, vLLM's have 200 bytes.
MAX_BARE_BYTES = 64 * 1024
MAX_HEADERS = 128
# What somebody reads; all others are dropped as they come.
NOTED = frozenset({b"content-encoding", b"content-length", b"content-type", b"retry-after", b"transfer-encoding"})


class Lost(Exception):
    """The connection broke, or what came over it is not HTTP."""


class Connection(asyncio.Protocol):
    """`on_lost` is called once, when the socket is closed, by whichever side."""

    def __init__(self, on_lost: Callable[["Connection"], None]) -> None:
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[bool] | None = None  # True: it took too long
        self._timer: asyncio.TimerHandle | None = None
        self._rings = self._deadline = math.inf
        self._lost = self._paused = self._to_eof = self._kept = False
        self._ended = True  # no answer is due
        self._pieces: list[bytes] = []
        self._size = self._bare = 0
        self.used = False  # whether an answer was read to its end
        self.heard = False  # whether a byte of this answer has come
        self.status = 0  # of the answer that is due; 0 until its head is there
        self.headers: dict[str, str] = {}  # those of NOTED, names in lower case

    @property
    def open(self) -> bool:
        """Whether a request may still reach the server."""
        return not (self._lost or self._transport.is_closing())

    @property
    def reusable(self) -> bool:
        """Whether its answer was read to the end and another request may follow."""
        whole = self._ended and self._kept and not self._pieces
        return whole and self.open and not self._transport.get_write_buffer_size()

    async def ask(self, request: bytes, clock: Clock) -> None:
        """Write one request and wait for the answer's status and headers. Raises Lost, BackendTimeout."""
        self.used, self.heard, self.status, self.headers = self._kept, False, 0, {}
        self._ended = self._kept = self._to_eof = False
        self._bare = 0
        if self.open:
            self._transport.write(request)
        while not self.status:
            await self._arrival(clock)

    async def piece(self, clock: Clock) -> bytes:
        """The next bytes of the body, empty at its end. Raises Lost, BackendTimeout."""
        while not self._pieces:
            if self._ended:
                return b""
            await self._arrival(clock)
        return self._taken()

    def abort(self) -> None:
        """Close the socket at once: what was not sent is dropped, what was not read is nobody's."""
        self._lost = True
        self._transport.abort()

    async def _arrival(self, clock: Clock) -> None:
        """Wait until bytes have come."""
        if self._lost:
            raise Lost
        self._waiter = self._loop.create_future()
        self._deadline = clock.begin()
        if self._deadline < self._rings:
            self._set_timer()
        try:
            if await self._waiter:
                raise clock.overdue()
        finally:
            self._waiter = None
            clock.pause()

    def _taken(self) -> bytes:
        pieces, self._pieces, self._size = self._pieces, [], 0
        if self._paused and self.open:
            self._paused = False
            self._transport.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _wake(self, overdue: bool = False) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(overdue)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings = self._deadline
        self._timer = self._loop.call_at(self._rings, self._ring)

    def _ring(self) -> None:
        self._timer, self._rings = None, math.inf
        if self._waiter is None:
            return
        if self._loop.time() < self._deadline:  # set for an earlier wait
            self._set_timer()
        else:
            self._wake(overdue=True)

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        if not self._parsed(data):
            self.abort()
        elif self._size > READ_AHEAD and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Nothing more will come: the end of an answer whose length was not told, a break in all others."""
        self._ended = self._ended or (self._to_eof and self.status != 0)
        self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        self._parser = None  # it holds our methods: a cycle
        if self._timer is not None:
            self._timer.cancel()
        self._wake()
        self._on_lost(self)

    def _parsed(self, data: bytes) -> bool:
        self.heard = True
        self._bare += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return False
        return self._bare <= MAX_BARE_BYTES

    # What the parser calls. What they raise ends the connection.

    def on_message_begin(self) -> None:
        if self._ended:
            raise Lost
        self._fields = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        if self._fields > MAX_HEADERS:
            raise Lost
        name = name.lower()
        if name in NOTED and not self.status:
            self.headers[name.decode()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # an interim answer; the one that counts follows (RFC 9110, 15.2)
            self.headers = {}
            return
        self.status = status
        coding = self.headers.get("transfer-encoding", "")
        self._to_eof = "content-length" not in self.headers and not coding.lower().endswith("chunked")

    def on_body(self, piece: bytes) -> None:
        self._bare = 0
        self._size += len(piece)
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        if self.status:
            self._ended = True
            self._kept = self._parser.should_keep_alive()
