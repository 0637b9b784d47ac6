"""A backend that does what a test tells it, byte by byte: on raw sockets, since no HTTP library would send nonsense.

A `Script` is the status line and headers of one answer and its steps: bytes go out as one HTTP chunk, a number waits so
many seconds, `FIN` and `RST` break the connection, `HANG` stops sending and keeps it open. Scripts queued by `plan` are
used up in order by POST /v1/chat/completions; without one the answer is `CHAT`, which has the shape of vLLM 0.32's
(tests/fakes/transcripts). Every request is recorded with what was written and whether the client left early.

    async with FakeBackend() as fake:
        fake.plan(Script(status=503, steps=(b"{}",)), Script(steps=(*words("Hel"), RST)))
"""

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self


class Break(Enum):
    FIN = "close the connection without ending the answer"
    RST = "reset the connection"
    HANG = "send nothing more until the client leaves"


FIN, RST, HANG = Break.FIN, Break.RST, Break.HANG
Step = bytes | float | Break

MODEL = "tiny"
PROMPT_TOKENS = 13
STREAM = {"content-type": "text/event-stream; charset=utf-8"}
JSON = {"content-type": "application/json"}
_HEAD = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": MODEL}
DONE = b"data: [DONE]\n\n"


def event(chunk: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def usage(completion: int, prompt: int = PROMPT_TOKENS) -> dict[str, Any]:
    counts = {"prompt_tokens": prompt, "total_tokens": prompt + completion, "completion_tokens": completion}
    return {**counts, "completion_tokens_details": None}


def first(index: int = 0) -> bytes:
    """The chunk with which vLLM begins each choice."""
    delta = {"role": "assistant", "content": ""}
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
    return event({**_HEAD, "choices": [choice], "usage": usage(0), "prompt_token_ids": None, "prompt_text": None})


def piece(delta: Mapping[str, Any], completion: int, finish: str | None = None, index: int = 0) -> bytes:
    """One step of one choice; `completion` is that choice's running count."""
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish, "token_ids": None}
    if finish:
        choice["stop_reason"] = None
    return event({**_HEAD, "choices": [choice], "usage": usage(completion)})


def last(completion: int) -> bytes:
    """The usage chunk, with what the launcher's flags add to it."""
    details = {"cached_tokens": 0, "created_cache_tokens": 0}
    counts = {**usage(completion), "prompt_tokens_details": details}
    del counts["completion_tokens_details"]
    times = ("time_to_first_token_ms", "generation_time_ms", "queue_time_ms", "mean_itl_ms", "tokens_per_second")
    extra = {"system_fingerprint": "vllm-fake", "metrics": dict.fromkeys(times, 1.0)}
    return event({**_HEAD, "choices": [], "usage": counts, **extra})


def words(*texts: str, finish: str | None = None) -> tuple[bytes, ...]:
    """The chunks that say some texts; the last carries the finish reason, if given."""
    count = len(texts)
    reasons = [finish if number == count else None for number in range(1, count + 1)]
    pieces = [
        piece({"content": text}, n, reason) for n, (text, reason) in enumerate(zip(texts, reasons, strict=True), 1)
    ]
    return first(), *pieces


def said(*texts: str, finish: str = "stop") -> tuple[bytes, ...]:
    """A whole answer, as vLLM streams it."""
    return *words(*texts, finish=finish), last(len(texts)), DONE


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
    """One request as it came, and what became of its answer."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    connection: int
    written: int = 0
    left_early: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)


class FakeBackend:
    """Listens on 127.0.0.1 while its block lasts, on a free port if none is given.

    `answers` are the scripts of the other paths.
    """

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self.requests: list[Seen] = []
        self.connections = 0
        self.answers = {
            "/health": Script(headers={}),
            "/version": _json({"version": "0.32.0"}),
            "/v1/models": _json({"data": [{"id": MODEL, "max_model_len": 4096, "root": "/models/tiny"}]}),
            "/tokenize": _json({"count": PROMPT_TOKENS, "max_model_len": 4096, "tokens": [], "token_strs": None}),
        }
        self._plan: deque[Script] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def plan(self, *scripts: Script) -> None:
        self._plan.extend(scripts)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
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
            answering = asyncio.ensure_future(_answer(self._script(seen.path), seen, writer))
            leaving = asyncio.ensure_future(reader.read(1))  # nothing is due: it returns when the client leaves
            try:
                await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
                seen.left_early = not answering.done()
                if seen.left_early or not answering.result():
                    return
            finally:
                answering.cancel()
                leaving.cancel()
                await asyncio.gather(answering, leaving, return_exceptions=True)
                seen.over.set()

    def _script(self, path: str) -> Script:
        if path == "/v1/chat/completions":
            return self._plan.popleft() if self._plan else CHAT
        return self.answers.get(path) or Script(status=404, headers=JSON)


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
            seen.written += len(step)
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


async def _broken(step: Break, writer: asyncio.StreamWriter) -> bool:
    await writer.drain()
    if step is HANG:
        await asyncio.Event().wait()
    if step is RST:
        await asyncio.sleep(0.05)  # what was sent must arrive: a reset throws away what is under way
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    return False
