"""Requests: what is written, what is refused before it is, what of an answer is not believed.

When a connection breaks: `test_client_again.py`; when the client leaves: `test_client_leaving.py`.
"""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from serving.backend import Backend, Timeouts
from serving.errors import BackendBusy, BackendRejected, BackendUnavailable
from tests.fakes.backend import HANG, JSON, FakeBackend, Script, said, words
from tests.fakes.client import ASK, failing, faked
from tests.fakes.ports import free_port
from tests.fakes.raw import Asked, raw_server

SHOUTED = {"content-type": "Text/Event-Stream; charset=UTF-8", "content-encoding": "Identity"}


def written(key: str | None = None, prefix: str = "", headers: dict[str, str] | None = None) -> list[Asked]:
    """The requests of a GET and a POST as they arrive."""

    async def run() -> list[Asked]:
        async with raw_server() as server:
            backend = Backend("b", f"{server.url}{prefix}", api_key=key)
            assert await backend.version() is None
            assert await backend.ask("/v1/embeddings", {"input": "é"}, headers or {}) == {"ok": True}
            await backend.aclose()
        return server.asked

    return asyncio.run(run())


def test_every_byte_that_is_sent() -> None:
    get, post = written("k", "/base/", {"x-request-id": "r1", "traceparent": "t"})
    (host,) = (line for line in get.head.split(b"\r\n") if line.startswith(b"host: 127.0.0.1:"))
    common = [
        host,
        b"accept-encoding: identity",
        b"content-type: application/json",
        b"authorization: Bearer k",
    ]
    assert get.head.split(b"\r\n") == [b"GET /base/version HTTP/1.1", *common]
    added = [b"x-request-id: r1", b"traceparent: t", b"content-length: 14"]
    assert post.head.split(b"\r\n") == [b"POST /base/v1/embeddings HTTP/1.1", *common, *added]
    assert post.body == '{"input":"é"}'.encode()


def test_without_a_key_none_is_sent() -> None:
    assert not [asked for asked in written() if b"authorization" in asked.head]


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\rb", "a\0b", "é", "\u2028"])
def test_a_header_that_would_be_another_request_is_rejected(value: str) -> None:
    async def run() -> None:
        async with faked() as (backend, fake):
            with pytest.raises(BackendRejected, match="header"):
                await backend.complete(ASK, {"x-request-id": value})
            assert fake.requests == []

    asyncio.run(run())


@pytest.mark.parametrize("key", ["a\nb", "a\r\nhost: x", "é"])
def test_a_key_that_is_no_header_is_told_and_not_shown(key: str) -> None:
    async def run() -> None:
        async with faked(api_key=key) as (backend, fake):
            with pytest.raises(BackendUnavailable, match="key") as raised:
                await backend.complete(ASK)
            assert key not in str(raised.value)
            assert fake.requests == []

    asyncio.run(run())


@pytest.mark.parametrize("url", ["localhost:8000", "http://", "http://host:99999", "http://user:secret@host"])
def test_a_url_that_is_none_is_told_to_whoever_asks(url: str) -> None:
    async def run() -> None:
        backend = Backend("b", url)
        with pytest.raises(BackendUnavailable, match="URL of a backend") as raised:
            await backend.models()
        assert "secret" not in str(raised.value)
        assert not await backend.health()
        await backend.aclose()

    asyncio.run(run())


def test_a_host_that_has_no_address() -> None:
    async def run() -> None:
        backend = Backend("b", "http://nowhere.invalid")  # RFC 6761: never resolves
        with pytest.raises(BackendUnavailable, match="cannot connect"):
            await backend.models()
        await backend.aclose()

    asyncio.run(run())


def test_connections_are_used_again() -> None:
    async def run() -> None:
        async with faked() as (backend, fake):
            for _ in range(5):
                await backend.complete(ASK)
            assert fake.connections == 1

    asyncio.run(run())


def test_an_endless_refusal_is_cut() -> None:
    error, _ = failing(Script((b"x" * 50_000,) * 100, 400, JSON))
    assert isinstance(error, BackendRejected)


def test_names_of_types_and_codings_have_no_case() -> None:
    """RFC 9110, 8.3.1 and 8.4.1."""

    async def run() -> None:
        async with faked(Script(said("a"), headers=SHOUTED)) as (backend, _):
            answer = await backend.complete(ASK)
            assert answer.choices[0].message["content"] == "a"

    asyncio.run(run())


def test_redirects_are_not_followed() -> None:
    async def run() -> None:
        async with FakeBackend() as elsewhere:
            moved = Script(status=307, headers={"location": f"{elsewhere.url}/v1/chat/completions"})
            async with faked(moved) as (backend, _):
                with pytest.raises(BackendUnavailable, match="307"):
                    await backend.complete(ASK)
            assert elsewhere.requests == []

    asyncio.run(run())


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free_port()}")

    async def run() -> None:
        async with faked() as (backend, _):
            await backend.complete(ASK)

    asyncio.run(run())


def test_no_one_listens() -> None:
    async def run() -> None:
        backend = Backend("b", f"http://127.0.0.1:{free_port()}")
        with pytest.raises(BackendUnavailable, match="cannot connect"):
            await backend.complete(ASK)
        assert not await backend.health()
        assert await backend.version() is None
        await backend.aclose()

    asyncio.run(run())


def test_full_of_connections_is_overload() -> None:
    async def run() -> None:
        options: dict[str, Any] = {"max_connections": 1, "timeouts": Timeouts(connect=0.2)}
        async with (
            faked(Script((*words("a"), HANG)), **options) as (backend, _),
            aclosing(backend.stream(ASK)) as events,
        ):
            await anext(events)
            with pytest.raises(BackendBusy):
                await backend.complete(ASK)

    asyncio.run(run())


@pytest.mark.parametrize("value", ["\ud800", 2**64, {1: 2}, object()])
def test_a_body_that_is_no_json_is_rejected(value: object) -> None:
    async def run() -> None:
        async with faked() as (backend, fake):
            with pytest.raises(BackendRejected):
                await backend.complete(ASK | {"x": value})
            assert fake.requests == []

    asyncio.run(run())
