"""What is almost HTTP: a corpus of messages that have broken servers, and good ones spoiled by seed. Pure."""

import random

from tests.fuzz.bodies import body, spoiled

_HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
# Request smuggling, odd targets, odd heads (portswigger.net/web-security/request-smuggling; RFC 9112 sections 2 to 7).
CORPUS: tuple[bytes, ...] = (
    b"",
    b"\r\n\r\n",
    b"\x00" * 64,
    b"GET\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/0.9\r\n\r\n",
    b"GET /\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    b"GET http://evil.example/v1/models HTTP/1.1\r\nhost: x\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET //v1/models HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /v1/../admin/tenants HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /%2e%2e/%00 HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /?%ff&&==# HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /a HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
    b"GET /a HTTP/1.1\r\n host: x\r\n\r\n",
    b"GET /a HTTP/1.1\r\n: x\r\n\r\n",
    b"GET /a HTTP/1.1\r\nx: \x00\x01\xff\r\n\r\n",
    b"GET /a HTTP/1.1\nhost: x\n\n",
    b"GET /a HTTP/1.1\r\rhost: x\r\n\r\n",
    _HEAD + b"content-length: -1\r\n\r\n",
    _HEAD + b"content-length: 1e3\r\n\r\n{}",
    _HEAD + b"content-length: +2\r\n\r\n{}",
    _HEAD + b"content-length: 99999999999999999999\r\n\r\n",
    _HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    _HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    _HEAD + b"content-length: 5\r\n\r\n{}",
    _HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    _HEAD + b"transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    _HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx: y\r\n\r\n",
    _HEAD + b"transfer-encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n",
    _HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    _HEAD + b"transfer-encoding: xchunked\r\n\r\n{}",
    _HEAD + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n{}",
    _HEAD + b"expect: nonsense\r\ncontent-length: 2\r\n\r\n{}",
    _HEAD + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x8b",
    _HEAD + b"upgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    _HEAD + b"upgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAM\r\n\r\n",
    _HEAD + b"authorization: Bearer \xff\xfe\r\ncontent-length: 2\r\n\r\n{}",
    _HEAD + b"x: " + b"a" * 40_000 + b"\r\n\r\n",
    _HEAD + b"content-length: 2\r\n\r\n{}" * 3,
    b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n" * 20,
)


def message(seed: int, key: str) -> bytes:
    """What to send on one connection."""
    draw = random.Random(seed)
    if draw.random() < 0.1:
        return draw.choice(CORPUS)
    path, content = body(seed)
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {len(content)}\r\n\r\n"
    if draw.random() < 0.5:  # the head alone
        return spoiled(draw, head.encode()) + content
    return spoiled(draw, head.encode() + content)
