"""Requests: what is written, tried again, refused, given up at once when the client leaves."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from serving.backend import Backend, Timeouts
from serving.errors import BackendBroken, BackendBusy, BackendRejected, BackendUnavailable
from tests.fakes.backend import FIN, HANG, JSON, RST, FakeBackend, Script, first, said, words
from tests.fakes.client import ASK, failing, faked
from tests.fakes.ports import free_port
from tests.fakes.raw import OK, After, Asked, Raw, raw_server

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


def test_a_new_connection_that_breaks_is_not_tried_again() -> None:
    async def run() -> None:
        async with faked(Script((RST,))) as (backend, fake):
            with pytest.raises(BackendUnavailable):
                await backend.complete(ASK)
            assert len(fake.requests) == 1

    asyncio.run(run())


@pytest.mark.parametrize("broken", [RST, FIN])
def test_a_kept_connection_that_breaks_is_tried_once_more(broken: Any) -> None:
    async def run() -> None:
        async with faked(Script(said("one")), Script((broken,)), Script(said("two"))) as (backend, fake):
            await backend.complete(ASK)
            answer = await backend.complete(ASK)
            assert answer.choices[0].message["content"] == "two"
            assert [seen.connection for seen in fake.requests] == [1, 1, 2]

    asyncio.run(run())


def test_a_request_that_the_server_has_held_is_not_tried_again() -> None:
    """It may have begun to work on it: the second request would be a second generation."""

    async def run() -> None:
        answers = iter([OK, Raw((b"",), After.CLOSE, pause=1.2), OK])
        async with raw_server(lambda asked: next(answers)) as server:
            backend = Backend("b", server.url)
            await backend.ask("/v1/embeddings", {})
            with pytest.raises(BackendUnavailable, match="before the answer began"):
                await backend.ask("/v1/embeddings", {})
            assert len(server.asked) == 2
            await backend.aclose()

    asyncio.run(run())


def test_only_once_more() -> None:
    async def run() -> None:
        async with faked(Script(said("one")), Script((RST,)), Script((RST,))) as (backend, fake):
            await backend.complete(ASK)
            with pytest.raises(BackendUnavailable):
                await backend.complete(ASK)
            assert len(fake.requests) == 3

    asyncio.run(run())


def test_another_try_is_made_on_a_new_connection() -> None:
    """A server that starts anew breaks all kept connections: the next one of them would be no better."""

    async def run() -> None:
        async with faked(*(Script(said("one"), delay=0.05),) * 3, Script((RST,)), Script(said("two"))) as (
            backend,
            fake,
        ):
            await asyncio.gather(*(backend.complete(ASK) for _ in range(3)))
            await backend.complete(ASK)
            assert [seen.connection for seen in fake.requests][-1] == 4

    asyncio.run(run())


def test_nothing_is_tried_again_after_a_byte_of_an_answer() -> None:
    async def run() -> None:
        answers = iter([OK, Raw((b"HTTP/1.1 2",), After.CLOSE)])
        async with raw_server(lambda asked: next(answers)) as server:
            backend = Backend("b", server.url)
            await backend.ask("/v1/embeddings", {})
            with pytest.raises(BackendUnavailable, match="before the answer began"):
                await backend.ask("/v1/embeddings", {})
            assert len(server.asked) == 2
            await backend.aclose()

    asyncio.run(run())


def test_nothing_is_tried_again_after_the_answer_began() -> None:
    async def run() -> None:
        async with faked(Script(said("one")), Script((first(), RST))) as (backend, fake):
            await backend.complete(ASK)
            with pytest.raises(BackendBroken):
                await backend.complete(ASK)
            assert len(fake.requests) == 2

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


async def _close(backend: Backend) -> None:
    events = backend.stream(ASK)
    await anext(events)
    await events.aclose()


async def _cancel(backend: Backend) -> None:
    began = asyncio.Event()

    async def read() -> None:
        async for _ in backend.stream(ASK):
            began.set()

    task = asyncio.create_task(read())
    await began.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _cancel_before_an_answer(backend: Backend) -> None:
    task = asyncio.create_task(backend.complete(ASK))
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("leave", "script"),
    [
        (_close, Script((*words("a"), HANG))),
        (_cancel, Script((*words("a"), HANG))),
        (_cancel_before_an_answer, Script(delay=30.0)),
    ],
)
def test_leaving_closes_the_connection(leave: Callable[[Backend], Any], script: Script) -> None:
    async def run() -> None:
        sys.set_asyncgen_hooks(finalizer=lambda _: None)  # it must not be left to the garbage collector
        async with faked(script) as (backend, fake):
            await leave(backend)
            await asyncio.wait_for(fake.requests[0].over.wait(), 5)
            assert fake.requests[0].left_early

    asyncio.run(run())


def test_leaving_many_times_leaks_no_connection() -> None:
    """httpx 0.28 lost a slot for ever at some of these (encode/httpcore#1093)."""

    async def run() -> None:
        options: dict[str, Any] = {"max_connections": 4, "timeouts": Timeouts(connect=2.0)}
        async with faked(*(Script((*words("a"), 0.02, *words("b"), HANG)) for _ in range(200)), **options) as (
            backend,
            fake,
        ):

            async def leave(after: float) -> None:
                task = asyncio.create_task(backend.complete(ASK))
                await asyncio.sleep(after)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

            await asyncio.gather(*(leave(n % 40 / 1000) for n in range(200)))
            fake._plan.clear()
            answers = await asyncio.gather(*(backend.complete(ASK) for _ in range(8)))
            assert len(answers) == 8

    asyncio.run(run())


@pytest.mark.parametrize("value", ["\ud800", 2**64, {1: 2}, object()])
def test_a_body_that_is_no_json_is_rejected(value: object) -> None:
    async def run() -> None:
        async with faked() as (backend, fake):
            with pytest.raises(BackendRejected):
                await backend.complete(ASK | {"x": value})
            assert fake.requests == []

    asyncio.run(run())
