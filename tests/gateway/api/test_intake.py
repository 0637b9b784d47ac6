"""What the server takes in, over real sockets: sizes, encodings, slowness and crowds, before anything is parsed."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from fastapi import FastAPI, Request

from gateway.api import wrap
from gateway.api.intake import Body
from gateway.errors import BodyTooSlow
from gateway.settings import Server, Settings
from tests.gateway.api.server import served

LIMIT = 1000
SOON = 10.0
Answer = tuple[int, dict[str, str], Any]


def app(**server: Any) -> FastAPI:
    """An app that says how long its body was; /wait answers when `go` is set."""
    inner = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    inner.state.go, inner.state.arrived = asyncio.Event(), asyncio.Queue()

    @inner.post("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    @inner.post("/wait")
    async def wait(request: Request) -> str:
        inner.state.arrived.put_nowait(None)
        await inner.state.go.wait()
        return "ok"

    @inner.get("/health/live")
    async def live() -> str:
        return "ok"

    return wrap(inner, Settings(server=Server(max_body_bytes=LIMIT, **server)))


async def send(url: str, *pieces: bytes) -> Answer:
    """Write the pieces as they are on a new connection and read one answer."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
    body = orjson.loads(await reader.readexactly(int(headers["content-length"])))
    writer.close()
    return int(head.split(" ")[1]), headers, body


def post(path: str, length: int | None, *headers: str) -> bytes:
    sized = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return "\r\n".join([f"POST {path} HTTP/1.1", "host: x", sized, *headers, "", ""]).encode()


def chunks(size: int, count: int) -> Iterator[bytes]:
    yield from (b"%x\r\n%b\r\n" % (size, b"x" * size) for _ in range(count))


def exchange(*pieces: bytes) -> Answer:
    async def scenario() -> Answer:
        async with served(app()) as url, asyncio.timeout(SOON):
            return await send(url, *pieces)

    return asyncio.run(scenario())


def test_a_body_of_the_limit_passes() -> None:
    assert exchange(post("/size", LIMIT), b"x" * LIMIT)[2] == LIMIT
    assert exchange(post("/size", None), *chunks(100, 10), b"0\r\n\r\n")[2] == LIMIT


@pytest.mark.parametrize(
    "pieces",
    [
        [post("/size", LIMIT + 1)],  # answered before a byte of it came
        [post("/size", None), *chunks(1001, 1)],
        [post("/size", None), *chunks(100, 11)],  # answered although the body never ends
    ],
    ids=["declared", "one chunk", "endless chunks"],
)
def test_a_larger_body_is_refused_with_the_number(pieces: list[bytes]) -> None:
    status, headers, body = exchange(*pieces)
    assert (status, body["error"]["code"]) == (413, "body_too_large")
    assert str(LIMIT) in body["error"]["message"]
    assert headers["x-should-retry"] == "false"


def test_a_large_body_that_is_sent_whole_still_gets_its_answer() -> None:
    status, _, body = exchange(post("/size", 8 * 2**20), *[b"x" * 2**20] * 8)
    assert (status, body["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "x" * 1000])
def test_a_compressed_body_is_refused_unread(encoding: str) -> None:
    status, _, body = exchange(post("/size", 5, f"content-encoding: {encoding}"))
    assert (status, body["error"]["code"]) == (415, "unsupported_encoding")
    assert exchange(post("/size", 1, "content-encoding: Identity"), b"x")[2] == 1


def test_a_full_server_refuses_before_the_body_and_still_answers_for_its_health() -> None:
    async def scenario() -> None:
        inner = app(max_requests=2)
        async with served(inner) as url, asyncio.timeout(SOON):
            waiting = [asyncio.create_task(send(url, post("/wait", 0))) for _ in range(2)]
            for _ in waiting:
                await inner.state.arrived.get()
            status, headers, body = await send(url, post("/size", 5))  # of which no byte is sent
            assert status == 503
            assert (body["error"]["code"], body["error"]["type"]) == ("overloaded", "overloaded_error")
            assert (headers["retry-after"], headers["x-should-retry"]) == ("1", "true")
            assert (await send(url, b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"))[0] == 200
            inner.state.go.set()
            assert [answer[0] for answer in await asyncio.gather(*waiting)] == [200, 200]
            assert (await send(url, post("/size", 1), b"x"))[0] == 200

    asyncio.run(scenario())


def test_a_place_is_given_back_whatever_happens() -> None:
    async def scenario() -> None:
        async with served(app(max_requests=1)) as url, asyncio.timeout(SOON):
            for _ in range(3):
                assert (await send(url, post("/size", None), *chunks(1001, 1)))[0] == 413
                assert (await send(url, post("/nowhere", 0)))[0] == 404

    asyncio.run(scenario())


def test_a_body_that_stalls_is_given_up() -> None:
    async def scenario() -> None:
        pieces: asyncio.Queue[Any] = asyncio.Queue()
        pieces.put_nowait({"type": "http.request", "body": b"x", "more_body": True})
        body = Body(pieces.get, LIMIT, seconds=0.05)
        assert (await body())["body"] == b"x"
        with pytest.raises(BodyTooSlow, match=re.escape("within 0.05 s")):
            await body()

    asyncio.run(scenario())


def test_what_follows_a_whole_body_may_take_its_time() -> None:
    async def scenario() -> None:
        messages: asyncio.Queue[Any] = asyncio.Queue()
        messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        body = Body(messages.get, LIMIT, seconds=0.05)
        await body()
        asyncio.get_running_loop().call_later(0.1, messages.put_nowait, {"type": "http.disconnect"})
        assert (await body())["type"] == "http.disconnect"

    asyncio.run(scenario())
