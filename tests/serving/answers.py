"""Bytes that servers send: good HTTP in every shape, and everything else."""

from tests.fakes.raw import After, chunked, sized

HEAD = b"HTTP/1.1 200 OK\r\n"
JSON = HEAD + b"content-type: application/json\r\n"
BODY = b'{"ok": true}'
LONG = 200_000  # bytes; more than any head may have

GOOD: dict[str, tuple[bytes, After, int]] = {  # bytes, what follows them, connections that two requests take
    "length": (sized(BODY), After.KEEP, 1),
    "chunks": (chunked(BODY, media_type=b"application/json"), After.KEEP, 1),
    "many chunks": (chunked(*(bytes([byte]) for byte in BODY)), After.KEEP, 1),
    "extensions and trailers": (
        JSON + b"Transfer-Encoding: chunked\r\n\r\nC;a=b\r\n" + BODY + b"\r\n0\r\nx: y\r\n\r\n", After.KEEP, 1),
    "trailers that would say otherwise": (
        chunked(BODY)[:-2] + b"content-encoding: gzip\r\ncontent-type: x\r\n\r\n", After.KEEP, 1),
    "until the end": (JSON + b"\r\n" + BODY, After.CLOSE, 2),
    "until the end, unknown coding": (JSON + b"transfer-encoding: x\r\n\r\n" + BODY, After.CLOSE, 2),
    "HTTP/1.0": (sized(BODY).replace(b"1.1", b"1.0"), After.KEEP, 2),
    "HTTP/1.0, until the end": (JSON.replace(b"1.1", b"1.0") + b"\r\n" + BODY, After.CLOSE, 2),
    "connection: close": (sized(BODY, b"connection: close"), After.KEEP, 2),
    "closed without a word": (sized(BODY), After.CLOSE, 2),
    "interim answers": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\ncontent-length: 7\r\n\r\n" + sized(BODY),
                        After.KEEP, 1),
    "no reason": (sized(BODY).replace(b"200 OK", b"200"), After.KEEP, 1),
    "128 headers": (sized(BODY, *(b"x: y",) * 126), After.KEEP, 1),
}  # fmt: skip

BAD: dict[str, bytes] = {
    "nothing": b"",
    "rubbish": b"\x16\x03\x01\x02\x00\x01",
    "blank lines": b"\r\n" * 100,
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/2": b"HTTP/2 200 OK\r\n\r\n",
    "HTTP/9.9": b"HTTP/9.9 200 OK\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    "half a status": b"HTTP/1.1 20",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "status 0": b"HTTP/1.1 000 X\r\n\r\n",
    "status 99999": b"HTTP/1.1 99999 X\r\n\r\n",
    "negative status": b"HTTP/1.1 -200 X\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\x81\x05hello",
    "half a head": JSON + b"content-len",
    "a header without a colon": HEAD + b"content-type\r\n\r\n",
    "a header without a name": HEAD + b": x\r\n\r\n",
    "a space in a name": HEAD + b"content type: x\r\n\r\n",
    "a space before the colon": HEAD + b"content-length : 12\r\n\r\n" + BODY,
    "a folded header": HEAD + b"x: y\r\n z\r\ncontent-length : 1\r\n\r\n{",
    "a NUL": HEAD + b"x: \0\r\n\r\n",
    "bare CR": HEAD + b"x: a\rb\r\n\r\n",
    "two lengths": sized(BODY, b"content-length: 5"),
    "length and chunks": sized(BODY, b"transfer-encoding: chunked"),
    "negative length": JSON + b"content-length: -1\r\n\r\n{}",
    "no number": JSON + b"content-length: many\r\n\r\n{}",
    "endless number": JSON + b"content-length: " + b"9" * 30 + b"\r\n\r\n{}",
    "shorter than its length": JSON + b"content-length: 99\r\n\r\n{}",
    "half a chunk": JSON + b"transfer-encoding: chunked\r\n\r\nff\r\n{}",
    "no last chunk": JSON + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "a chunk of no size": JSON + b"transfer-encoding: chunked\r\n\r\nx\r\n{}\r\n0\r\n\r\n",
    "a chunk of minus one": JSON + b"transfer-encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n",
    "a chunk of 2**64": JSON + b"transfer-encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n{}\r\n0\r\n\r\n",
    "a longer chunk than told": JSON + b"transfer-encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    "gzip": sized(b"\x1f\x8b\x08", b"content-encoding: gzip"),
    "no JSON": sized(b"{"),
    "no UTF-8": sized(b'"\xff"'),
    "129 headers": sized(BODY, *(b"x: y",) * 127),
    "an endless header": HEAD + b"x: " + b"y" * LONG,
    "an endless name": HEAD + b"x" * LONG,
    "endless headers": HEAD + b"x: y\r\n" * (LONG // 6),
    "an endless reason": b"HTTP/1.1 200 " + b"x" * LONG,
    "endless interim answers": b"HTTP/1.1 100 X\r\n\r\n" * (LONG // 18),
    "an endless trailer": chunked(BODY)[:-2] + b"x: " + b"y" * LONG,
    "an endless extension": JSON + b"transfer-encoding: chunked\r\n\r\n1;" + b"y" * LONG,
}
