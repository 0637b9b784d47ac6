"""What a connection may do before its request is there: over real sockets, on an application that says hello."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.cli import head
from gateway.cli.head import BoundedHead
from tests.gateway.waiting import waited

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n"
MALFORMED = {
    "no HTTP": b"hello\r\n\r\n",
    "version": b"GET / HTTP/9.9\r\n\r\n",
    "method": b"G\x00T / HTTP/1.1\r\n\r\n",
    "authority": b"CONNECT x:1 HTTP/1.1\r\n\r\n",
    "header": REQUEST + b"na me: x\r\n\r\n",
    "two lengths": REQUEST + b"content-length: 1\r\ncontent-length: 2\r\n\r\n",
    "length and chunks": b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
    "too small a length": b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nab",
    "offer of no path": b"OPTIONS http://x HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nmore",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
}


OFFERS = {
    "h2c": b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n",  # as curl and JDK
    "websocket": b"upgrade: websocket\r\nConnection: upgrade\r\n",
    "last": b"connection: upgrade, close\r\nupgrade: h2c\r\n",
}
BODIES = {
    "sized": (b"content-length: 5\r\n\r\nfi", b"rst"),
    "chunked": (b"transfer-encoding: chunked\r\n\r\n2\r\nfi\r\n", b"3\r\nrst\r\n0\r\n\r\n"),
    "awaited": (b"content-length: 5\r\nexpect: 100-continue\r\n\r\n", b"first"),
    "none": (b"\r\n", b""),
}


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Once the whole body is there."""
    request = Request(scope, receive, send)
    body = await request.body()
    await PlainTextResponse(b"hello" + body)(scope, receive, send)


async def at_length(scope: Scope, receive: Receive, send: Send) -> None:
    """An answer that goes on for longer than a head may take, unless its client leaves."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"part"
            await asyncio.sleep(0.1)

    await StreamingResponse(parts())(scope, receive, send)


@contextmanager
def served(app: ASGIApp = hello) -> Iterator[int]:
    """The port of a server in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, http=BoundedHead, port=0, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    waited(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(head, "HEAD_S", 0.5)
    with served() as port:
        yield port


def said(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """All that comes back until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause_s)
        answer = b""
        while more := connection.recv(4096):
            answer += more
    return answer


def test_who_says_nothing_is_left(port: int) -> None:
    assert said(port) == b""


@pytest.mark.parametrize("before", [b"", REQUEST + b"\r\n"], ids=["at once", "after an answer"])
def test_a_head_that_does_not_end_is_refused(port: int, before: bytes) -> None:
    answer = said(port, before, REQUEST, pause_s=0.1)
    assert answer.count(b"200 OK") == bool(before)
    assert b"408 Request Timeout" in answer
    assert b"headers_too_slow" in answer


def test_a_body_is_not_timed_here(port: int) -> None:
    slow = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n"
    assert said(port, slow, b"a", b"b", pause_s=0.4).endswith(b"helloab")


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_http_is_refused_in_the_one_shape(port: int, sent: bytes) -> None:
    answer = said(port, sent)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b'"code":"malformed_http"') == 1


@pytest.mark.parametrize("pause_s", [0.0, 0.05], ids=["one read", "several"])
@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
def test_an_offer_of_another_protocol_is_declined(port: int, offer: bytes, pause_s: float) -> None:
    for begin, end in BODIES.values():
        start = b"POST /path?query HTTP/1.1\r\nhost: x\r\n" + offer
        last = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 4\r\n\r\nlast"
        pieces = [start, begin, end, last] if pause_s else [start + begin + end + last]
        bodies = [b"hellofirst" if end else b"hello", *([] if b"close" in offer else [b"hellolast"])]
        assert _bodies(said(port, *pieces, pause_s=pause_s)) == bodies


def _bodies(answers: bytes) -> list[bytes]:
    final = answers.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"").split(b"HTTP/1.1 200 OK")[1:]
    return [answer.partition(b"\r\n\r\n")[2] for answer in final]


def test_many_offers_in_one_read_are_declined_one_by_one(port: int) -> None:
    offering = b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
    answer = said(port, offering * 1500 + b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n")
    assert answer.count(b"200 OK") == answer.count(b"hello") == 1501


@pytest.mark.parametrize("more", [REQUEST, b"hello\r\n\r\n", REQUEST * 2000], ids=["slow", "malformed", "large"])
def test_what_comes_amid_an_answer_is_not_answered_in_it(monkeypatch: pytest.MonkeyPatch, more: bytes) -> None:
    monkeypatch.setattr(head, "HEAD_S", 0.5)
    with served(at_length) as port:
        answer = said(port, REQUEST + b"\r\n", more[:20], more[20:], pause_s=0.2)
    assert answer.count(b"HTTP/1.1") == 1
    assert b"part" in answer
    assert not answer.endswith(b"0\r\n\r\n")  # it is cut, and can be seen to be
