"""A server that reads whole HTTP requests and answers with whatever bytes it is told, then goes on, closes or hangs.

`answer` makes a `Raw` of each request; without one `OK` is sent. Where the scripted backend (tests/fakes/backend.py)
writes well-formed HTTP around its chunks, this one writes no byte of its own.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum


class After(Enum):
    KEEP = "wait for the next request"
    CLOSE = "close the connection"
    RESET = "reset the connection"
    HANG = "send nothing more until the client leaves"
    DEAF = "neither send nor read anything more"
    END = "end this side of the connection and read nothing more"


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes, written piece by piece, `pause` seconds before each, and what becomes of the connection."""

    pieces: tuple[bytes, ...]
    after: After = After.KEEP
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its head without the last blank line, its body, and the number of its connection."""

    head: bytes
    body: bytes
    connection: int


def sized(body: bytes, *headers: bytes) -> bytes:
    """A well-formed answer with a length."""
    lines = [b"HTTP/1.1 200 OK", b"content-type: application/json", b"content-length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


def chunked(*chunks: bytes, media_type: bytes = b"text/event-stream") -> bytes:
    """A well-formed answer in chunks."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ntransfer-encoding: chunked\r\n\r\n" % media_type
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


OK = Raw((sized(b'{"ok": true}'),))


@dataclass(slots=True)
class RawServer:
    """`url` and what was asked; `open` is how many connections there are now, `written` bytes accepted by sockets.

    With `early` the answer is given when the head of a request has come.
    """

    url: str = ""
    answer: Callable[[Asked], Raw] = lambda asked: OK
    asked: list[Asked] = field(default_factory=list)
    early: bool = False
    connections: int = 0
    open: int = 0
    written: int = 0
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self.tasks.add(task)
        self.connections += 1
        self.open += 1
        try:
            await self._serve(reader, writer, self.connections)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, RuntimeError):
            pass  # the client or the test has gone; uvloop's closed sockets raise RuntimeError
        finally:
            self.open -= 1
            self.tasks.discard(task)
            writer.close()

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        while True:
            asked = await _read(reader, connection, self.early)
            self.asked.append(asked)
            raw = self.answer(asked)
            for piece in raw.pieces:
                await asyncio.sleep(raw.pause)
                writer.write(piece)
                await writer.drain()
                self.written += len(piece)
            match raw.after:
                case After.HANG:
                    await reader.read(1)
                    return
                case After.DEAF:
                    await asyncio.Event().wait()
                case After.END:
                    writer.write_eof()
                    await asyncio.Event().wait()
                case After.CLOSE:
                    return
                case After.RESET:
                    _reset(writer)
                    return


async def _read(reader: asyncio.StreamReader, connection: int, early: bool) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    length = 0 if early else int(fields.get(b"content-length", 0))
    return Asked(head, await reader.readexactly(length), connection)


def _reset(writer: asyncio.StreamWriter) -> None:
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def until(condition: Callable[[], bool]) -> None:
    """Go on once the condition holds, within a minute: a busy machine is slow."""
    for turn in range(6000):
        if condition():
            return
        await asyncio.sleep(0.01 if turn > 9 else 0)
    raise AssertionError("it never came to that")


@asynccontextmanager
async def raw_server(
    answer: Callable[[Asked], Raw] | Raw = OK, *, tls: ssl.SSLContext | None = None, early: bool = False
) -> AsyncIterator[RawServer]:
    """One that listens on a free port of 127.0.0.1 while the block lasts."""
    server = RawServer(answer=answer if callable(answer) else lambda asked: answer, early=early)
    listening = await asyncio.start_server(server.connected, "127.0.0.1", 0, backlog=4096, ssl=tls)
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        await server.stop()
