"""A backend that does what a test tells it, byte by byte: on raw sockets, since no HTTP library would send nonsense.

A `Script` is the status line and headers of one answer and its steps: bytes go out as one HTTP chunk, a number waits so
many seconds, `FIN` and `RST` break the connection, `HANG` stops sending and keeps it open, `FLOOD` sends a line without
an end. Scripts queued by `plan` are used up in order by POST /v1/chat/completions; without one `usual` chooses, by
default always `CHAT`. What a script may say is made in tests/fakes/said.py.

Every request is recorded with its body, the bytes and the tokens written, and when the client left if it left early:
the truth that the ledger is judged by, whatever usage a script claims.

    async with FakeBackend() as fake:
        fake.plan(Script(status=503, steps=(b"{}",)), Script(steps=(*words("Hel"), RST)))
"""

import asyncio
import json
import socket
import struct
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self

from tests.fakes.said import DONE, MODEL, PROMPT_TOKENS, Lie, Piece, event, first, last, piece, said, usage, words

__all__ = [
    "CHAT",
    "CHATS",
    "DONE",
    "FIN",
    "FLOOD",
    "HANG",
    "JSON",
    "MODEL",
    "PROMPT_TOKENS",
    "RST",
    "STREAM",
    "FakeBackend",
    "Script",
    "Seen",
    "Step",
    "event",
    "first",
    "last",
    "piece",
    "said",
    "usage",
    "words",
]


class Break(Enum):
    FIN = "close the connection without ending the answer"
    RST = "reset the connection"
    HANG = "send nothing more until the client leaves"
    FLOOD = "send one line without an end until the client leaves"


FIN, RST, HANG, FLOOD = Break
Step = bytes | float | Break

STREAM = {"content-type": "text/event-stream; charset=utf-8"}
JSON = {"content-type": "application/json"}
LINE = b"data: " + b"a" * 65536  # a piece of an endless one
CHATS = "/v1/chat/completions"
BACKLOG = 4096  # connections that wait to be accepted: thousands may come at once


@dataclass(frozen=True, slots=True)
class Script:
    """How to answer one request."""

    steps: tuple[Step, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: STREAM)
    delay: float = 0.0  # seconds before the status line


CHAT = Script(said("Hello", " world"))


@dataclass(slots=True, eq=False)
class Seen:
    """One request as it came, and what became of its answer.

    `said` is how many tokens each choice had when its last chunk was written, `lied` whether a chunk claimed something
    else; `left_at` is when the client left before the answer's end (time.monotonic).
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    connection: int
    written: int = 0
    said: dict[int, int] = field(default_factory=dict)
    lied: bool = False
    left_at: float | None = None
    whole: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def left_early(self) -> bool:
        return self.left_at is not None

    @property
    def tokens(self) -> int:
        """Completion tokens that were written."""
        return sum(self.said.values())

    @property
    def request_id(self) -> str:
        """The gateway's id of the request that this one was made for."""
        return self.headers.get("x-request-id", "")


class FakeBackend:
    """Listens on 127.0.0.1 while its block lasts, on a free port if none is given.

    `answers` are the scripts of the other paths, or what makes one of a request.
    """

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self.requests: list[Seen] = []
        self.connections = 0
        self.usual: Callable[[Seen], Script] = lambda seen: CHAT
        self.answers: dict[str, Script | Callable[[Seen], Awaitable[Script]]] = {
            "/health": Script(headers={}),
            "/version": _json({"version": "0.32.0"}),
            "/v1/models": _json({"data": [{"id": MODEL, "max_model_len": 4096, "root": "/models/tiny"}]}),
            "/tokenize": _json({"count": PROMPT_TOKENS, "max_model_len": 4096, "tokens": [], "token_strs": None}),
        }
        self._plan: deque[Script] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def plan(self, *scripts: Script) -> None:
        self._plan.extend(scripts)

    def chats(self) -> list[Seen]:
        """The chat requests, as they came."""
        return [seen for seen in self.requests if seen.path == CHATS]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port, backlog=BACKLOG)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._serve(reader, writer, self.connections)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client or the test has gone
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        while True:
            seen = await _read(reader, connection)
            self.requests.append(seen)
            answering = asyncio.ensure_future(_answer(await self._script(seen), seen, writer))
            leaving = asyncio.ensure_future(reader.read(1))  # nothing is due: it returns when the client leaves
            try:
                await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
                if not answering.done() or isinstance(answering.exception(), ConnectionError):
                    seen.left_at = time.monotonic()
                    return
                if not answering.result():
                    return
                seen.whole = True
            finally:
                answering.cancel()
                leaving.cancel()
                await asyncio.gather(answering, leaving, return_exceptions=True)
                seen.over.set()

    async def _script(self, seen: Seen) -> Script:
        if seen.path == CHATS:
            return self._plan.popleft() if self._plan else self.usual(seen)
        answer = self.answers.get(seen.path) or Script(status=404, headers=JSON)
        return answer if isinstance(answer, Script) else await answer(seen)


def _json(value: object) -> Script:
    return Script((json.dumps(value).encode(),), headers=JSON)


async def _read(reader: asyncio.StreamReader, connection: int) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Seen(method, path, headers, json.loads(body) if body else None, connection)


async def _answer(script: Script, seen: Seen, writer: asyncio.StreamWriter) -> bool:
    """Play the script; whether the connection can be used again."""
    await asyncio.sleep(script.delay)
    if script.steps[:1] not in ((FIN,), (RST,)):
        lines = [f"HTTP/1.1 {script.status} Scripted", "transfer-encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in script.headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
    for step in script.steps:
        if isinstance(step, Break):
            return await _broken(step, writer)
        if isinstance(step, float):
            await asyncio.sleep(step)
        else:
            writer.write(b"%x\r\n%b\r\n" % (len(step), step))
            await writer.drain()
            _count(seen, step)
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


def _count(seen: Seen, step: bytes) -> None:
    seen.written += len(step)
    if isinstance(step, Piece):
        seen.said[step.choice] = step.tokens
        seen.lied |= isinstance(step, Lie)


async def _broken(step: Break, writer: asyncio.StreamWriter) -> bool:
    await writer.drain()
    if step is HANG:
        await asyncio.Event().wait()
    while step is FLOOD:
        writer.write(b"%x\r\n%b\r\n" % (len(LINE), LINE))
        await writer.drain()
    if step is RST:
        await asyncio.sleep(0.05)  # what was sent must arrive: a reset throws away what is under way
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    return False
