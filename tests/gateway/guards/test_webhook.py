"""The company's own guard, over a real socket: what it is sent, and what becomes of whatever it answers."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from gateway.exchange import Finding
from gateway.guards.asking import Report, Watch, ask
from gateway.guards.webhook import MAX_ANSWER_BYTES, Webhook
from gateway.settings import Webhook as Section
from tests.gateway.calls import call, caller

Head = dict[str, str]
Answers = Callable[[Head, dict[str, Any]], bytes | Awaitable[bytes]]
ASKED = replace(call("unused", who=caller("acme")), request_id="request-1")
HANG = b""


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def verdict(ruling: str, *findings: dict[str, Any]) -> bytes:
    return http(json.dumps({"verdict": ruling} | ({"findings": list(findings)} if findings else {})).encode())


class Server:
    """A guard's server that answers raw bytes; it counts its connections and keeps what it was asked."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.connections = 0
        self.seen: list[tuple[Head, bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await _head(reader):
                self.seen.append((head, await reader.readexactly(int(head["content-length"]))))
                if self.answer == HANG:
                    await reader.read()
                    return
                writer.write(self.answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _head(reader: asyncio.StreamReader) -> Head:
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    except asyncio.IncompleteReadError:
        return {}
    return {"line": lines[0]} | dict(_field(line) for line in lines[1:] if line)


def _field(line: str) -> tuple[str, str]:
    name, value = line.split(": ", 1)
    return name.lower(), value


@asynccontextmanager
async def asking(server: Server, key: str | None = None, **section: Any) -> AsyncIterator[Watch]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/guard"
    settings = Section.model_validate({"kind": "webhook", "url": url, "deadline_s": 30.0} | section)
    guard = Webhook("own", settings, key)
    try:
        yield Watch(guard, settings)
    finally:
        await guard.aclose()
        listening.close()


def asked(answer: bytes, *texts: str, key: str | None = None, **section: Any) -> tuple[Report, Server]:
    server = Server(answer)

    async def case() -> Report:
        async with asking(server, key, **section) as watch:
            return await ask(watch, texts or ("a secret",), ASKED, "input")

    return asyncio.run(case()), server


def test_it_is_asked_about_each_text_and_told_whose_it_is() -> None:
    report, server = asked(verdict("pass"), "one", "two")
    assert (report.failed, report.found) == (None, ((), ()))
    assert sorted(json.loads(body)["text"] for _, body in server.seen) == ["one", "two"]
    head, body = server.seen[0]
    assert head["line"] == "POST /guard HTTP/1.1"
    assert json.loads(body) | {"text": ""} == {
        "where": "input", "text": "", "tenant": "acme", "request_id": "request-1", "model": "small"
    }  # fmt: skip
    assert "webhook-signature" not in head


@pytest.mark.parametrize("key", ["plain words", "whsec_" + base64.b64encode(b"plain words").decode()])
def test_what_it_is_asked_is_signed_as_standard_webhooks_say(key: str) -> None:
    _, server = asked(verdict("pass"), key=key)
    head, body = server.seen[0]
    signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"plain words", signed, hashlib.sha256).digest()).decode()
    assert head["webhook-signature"] == f"v1,{expected}"
    assert abs(int(head["webhook-timestamp"]) - time.time()) < 600
    assert head["webhook-id"] == "request-1"


def test_a_key_that_is_no_base64_is_told_without_it() -> None:
    with pytest.raises(ValueError, match="whsec_ goes on in base64") as caught:
        Webhook("own", Section(kind="webhook", url="http://a"), "whsec_s3cret!")
    assert "s3cret" not in str(caught.value)


def test_its_findings_are_taken_with_what_it_wants_to_become_of_them() -> None:
    found = {"start": 2, "end": 8, "kind": "PROJECT"}
    for ruling in ("flag", "redact", "block"):
        report, _ = asked(verdict(ruling, found))
        assert report.found == ((Finding(2, 8, "PROJECT", "[PROJECT]", ruling),),)
    report, _ = asked(verdict("redact", found | {"instead": "***"}))
    assert report.found[0][0].instead == "***"
    report, _ = asked(verdict("block", found), action="flag")
    assert report.ruling == "flag"


def test_a_verdict_without_findings_is_on_the_whole_text() -> None:
    report, _ = asked(verdict("redact"), "abc", "")
    assert report.found == ((Finding(0, 3, "TEXT", "[TEXT]", "redact"),), ())


SHAPE = "its server's answer is not what a guard says"
WRONG = [
    (http(b"", "500 Oops"), "its server answers with status 500"),
    (http(b"", "302 Found", "location: /elsewhere"), "its server answers with status 302"),
    (http(b"", "204 No Content"), "its server answers with status 204"),
    (http(b""), SHAPE),
    (http(b"not json"), SHAPE),
    (http(b'"pass"'), SHAPE),
    (http(b'{"verdict": "maybe"}'), SHAPE),
    (http(b'{"findings": []}'), SHAPE),
    (http(b'{"verdict": "pass", "text": "other"}'), SHAPE),
    (verdict("block", {"start": "2", "end": 8, "kind": "X"}), SHAPE),
    (verdict("block", {"start": -2, "end": 8, "kind": "X"}), SHAPE),
    (verdict("block", {"start": 0, "end": 8, "kind": "a secret"}), SHAPE),
    (verdict("block", {"start": 0, "end": 8}), SHAPE),
    (verdict("block", {"start": 0, "end": 9, "kind": "X"}), "it found something outside of the text"),
    (verdict("block", {"start": 5, "end": 5, "kind": "X"}), "it found something outside of the text"),
    (verdict("pass", {"start": 0, "end": 8, "kind": "X"}), "its server passes what it finds something in"),
    (http(b" " * (MAX_ANSWER_BYTES + 1)), f"its server's answer is longer than {MAX_ANSWER_BYTES} bytes"),
    (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", None),
    (b"nonsense\r\n\r\n", "its server cannot be asked (RemoteProtocolError)"),
]


@pytest.mark.parametrize(("answer", "why"), WRONG)
def test_whatever_else_it_answers_is_no_answer(answer: bytes, why: str | None) -> None:
    report, server = asked(answer, deadline_s=0.3 if why is None else 30.0)
    assert report.failed == (why or "no answer within 0.3 s")
    assert report.ruling == "block"
    assert len(server.seen) == 1  # it is not asked again


def test_one_that_hangs_or_is_not_there_gives_no_answer() -> None:
    report, _ = asked(HANG, deadline_s=0.1)
    assert report.failed == "no answer within 0.1 s"

    async def nobody() -> Report:
        async with asking(Server(HANG)) as watch:
            section = watch.section.model_copy(update={"url": "http://127.0.0.1:1"})
            guard = Webhook("own", section, None)  # type: ignore[arg-type] # it is the webhook's section
            try:
                return await ask(Watch(guard, section), ["x"], ASKED, "output")
            finally:
                await guard.aclose()

    assert asyncio.run(nobody()).failed == "its server cannot be asked (ConnectError)"


def test_connections_are_used_again() -> None:
    server = Server(verdict("pass"))

    async def case() -> None:
        async with asking(server) as watch:
            for _ in range(5):
                assert (await ask(watch, ["x"], ASKED, "output")).failed is None

    asyncio.run(case())
    assert (server.connections, len(server.seen)) == (1, 5)
