"""Which connection a request gets, and that none is ever lost: not by cancelling, not by a server that closes them."""

import asyncio
import gc
import os
import random
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

import orjson
import pytest

from serving import connections
from serving.backend import Backend, Timeouts
from serving.connection import Connection
from serving.errors import BackendBroken, BackendOverloaded, BackendTimeout, BackendUnavailable
from tests.fakes.backend import said, words
from tests.fakes.client import ASK
from tests.fakes.raw import OK, After, Asked, Raw, RawServer, chunked, raw_server, sized, until

CERTIFICATE = Path(__file__).parent / "tls" / "server.pem"  # signed by itself, for 127.0.0.1
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
BEGUN = Raw((HEAD, *words("a")), After.HANG)
WHOLE = Raw((chunked(*said("a", "b")),))
EMBEDDINGS = "/v1/embeddings"


@asynccontextmanager
async def served(answer: Any = OK, limit: int = 4, **options: Any) -> AsyncIterator[tuple[Backend, RawServer]]:
    async with raw_server(answer, tls=options.pop("tls", None)) as server:
        backend = Backend("b", server.url, max_connections=limit, **options)
        try:
            yield backend, server
        finally:
            await backend.aclose()


def test_the_connection_used_last_is_used_next(run: Any) -> None:
    async def scenario() -> None:
        async with served(lambda asked: Raw((sized(b"1"),), pause=0.05)) as (backend, server):
            await asyncio.gather(*(backend.ask(EMBEDDINGS, {}) for _ in range(3)))
            for _ in range(5):
                await backend.ask(EMBEDDINGS, {})
            assert server.connections == 3
            assert len({asked.connection for asked in server.asked[3:]}) == 1

    run(scenario())


def test_what_is_not_used_for_long_is_closed(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "KEEPALIVE_SECONDS", 0.1)

    async def scenario() -> None:
        async with served(limit=2) as (backend, server):
            for count in (2, 4, 6):  # twice the limit and more: the slots of closed ones are free
                await asyncio.gather(backend.ask(EMBEDDINGS, {}), backend.ask(EMBEDDINGS, {}))
                assert server.connections == count
                await until(lambda: not server.open)

    run(scenario())


@pytest.mark.parametrize("pieces", [(sized(b"1"),), (sized(b"1"), b"")], ids=["at once", "later"])
def test_what_the_server_closes_meanwhile_is_not_used(run: Any, pieces: tuple[bytes, ...]) -> None:
    async def scenario() -> None:
        async with served(Raw(pieces, After.CLOSE, pause=0.02), limit=1) as (backend, server):
            for count in range(1, 6):
                assert await backend.ask(EMBEDDINGS, {}) == 1
                await until(lambda: not server.open)
                assert len(server.asked) == server.connections == count

    run(scenario())


def test_there_are_never_more_than_allowed_and_who_waits_is_served(run: Any) -> None:
    async def scenario() -> None:
        most = 0

        def answer(asked: Asked) -> Raw:
            nonlocal most
            most = max(most, server.open)
            return Raw((sized(b"1"),), random.choice([After.KEEP, After.CLOSE]), pause=0.001)

        async with served(answer, limit=3) as (backend, server):
            assert await asyncio.gather(*(backend.ask(EMBEDDINGS, {}) for _ in range(60))) == [1] * 60
            assert most <= 3 + 1  # the server may hear of an end after the next beginning

    run(scenario())


def test_who_waits_is_served_in_turn(run: Any) -> None:
    async def scenario() -> None:
        async with served(limit=1) as (backend, server):
            await asyncio.gather(*(backend.ask(EMBEDDINGS, {"n": number}) for number in range(20)))
            assert [orjson.loads(asked.body)["n"] for asked in server.asked] == list(range(20))

    run(scenario())


def test_who_stops_waiting_leaves_nothing_behind(run: Any) -> None:
    """Not even while no connection is given back."""

    def futures() -> int:
        gc.collect()
        return sum(isinstance(one, asyncio.Future) for one in gc.get_objects())

    async def scenario() -> None:
        async with served(BEGUN, limit=1) as (backend, _), aclosing(backend.stream(ASK)) as held:
            await anext(held)
            before = futures()
            for _ in range(30):
                await asyncio.gather(*(cancelled(backend, 2) for _ in range(10)))
            assert futures() < before + 100

    run(scenario())


def test_closing_ends_running_answers_and_whoever_asks_later_is_told(run: Any) -> None:
    async def scenario() -> None:
        async with served(BEGUN, limit=2) as (backend, server):
            streams = [backend.stream(ASK) for _ in range(2)]
            for stream in streams:
                await anext(stream)
            reading = [asyncio.create_task(collected(stream)) for stream in streams]
            waiting = asyncio.create_task(backend.complete(ASK))
            await asyncio.sleep(0.01)
            await backend.aclose()
            await until(lambda: not server.open)
            results = await asyncio.gather(*reading, waiting, backend.complete(ASK), return_exceptions=True)
            expected = (BackendBroken, BackendBroken, BackendUnavailable, BackendUnavailable)
            assert tuple(type(result) for result in results) == expected
            await backend.aclose()

    run(scenario())


async def collected(stream: AsyncIterator[Any]) -> list[Any]:
    return [event async for event in stream]


def test_connecting_has_a_deadline(run: Any) -> None:
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # nobody accepts: one connection fills the queue, the kernel lets the others wait
        for each in (one, two):
            each.setblocking(False)
            each.connect_ex(full.getsockname())

        async def scenario(timeouts: Timeouts, phase: str) -> None:
            backend = Backend("b", f"http://127.0.0.1:{full.getsockname()[1]}", timeouts=timeouts, max_connections=1)
            for _ in range(3):  # each needs the one slot again
                with pytest.raises(BackendTimeout) as raised:
                    await backend.complete(ASK)
                assert raised.value.phase == phase
            await backend.aclose()

        run(scenario(Timeouts(connect=0.1), "connect"))
        run(scenario(Timeouts(connect=9, first_token=0.1), "first_token"))
        run(scenario(Timeouts(connect=9, total=0.1), "total"))


def certified() -> SSLContext:
    tls = SSLContext(PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(CERTIFICATE)
    return tls


def test_tls(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that is known is enough, one that is not is a server that cannot be reached."""
    tls = certified()

    async def scenario(known: bool) -> None:
        async with served(WHOLE, tls=tls) as (backend, server):
            if not known:
                with pytest.raises(BackendUnavailable, match="cannot connect"):
                    await backend.complete(ASK)
                return
            for _ in range(3):
                answer = await backend.complete(ASK)
                assert answer.choices[0].message["content"] == "ab"
            server.answer = lambda asked: BEGUN
            async with aclosing(backend.stream(ASK)) as events:
                await anext(events)
            await until(lambda: not server.open)
            assert server.connections == 1

    run(scenario(known=False))
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    run(scenario(known=True))


async def require_whole(backend: Backend, server: RawServer, limit: int) -> None:
    """All `limit` connections can be had at once, no more, and no task is left."""
    server.answer = lambda asked: BEGUN
    async with AsyncExitStack() as stack:
        for _ in range(limit):
            await anext(await stack.enter_async_context(aclosing(backend.stream(ASK))))
        with pytest.raises(BackendOverloaded):
            await backend.complete(ASK)
    await until(lambda: not server.open)
    assert asyncio.all_tasks() - server.tasks == {asyncio.current_task()}


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def connection_objects() -> int:
    gc.collect()
    return sum(isinstance(one, Connection) for one in gc.get_objects())


ODD = (
    OK,
    WHOLE,
    BEGUN,
    Raw((sized(b"1"),), After.CLOSE),
    Raw((sized(b"1", b"connection: close"),)),
    Raw((), After.RESET),
    Raw((), After.CLOSE),
    Raw((HEAD,), After.HANG),
    Raw((HEAD, *said("a")), After.CLOSE, pause=0.0005),
    Raw((b"HTTP/1.1 503 Full\r\ncontent-length: 2\r\n\r\n", b"{}"), pause=0.0005),
)


async def cancelled(backend: Backend, turns: int) -> None:
    """Ask, and leave after so many turns of the loop."""
    task = asyncio.create_task(backend.complete(ASK))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def cancel_everywhere(times: int, tls: SSLContext | None = None) -> None:
    """Leave at every await: `times` requests, six at a time on three connections, after 0, 1, 2 ... turns."""
    chosen = random.Random(0)
    options: dict[str, Any] = {"limit": 3, "timeouts": Timeouts(connect=0.5), "tls": tls}
    async with served(lambda asked: chosen.choice(ODD), **options) as (backend, server):
        await cancelled(backend, 50)
        before = descriptors() - server.open
        for first in range(0, times, 6):
            await asyncio.gather(*(cancelled(backend, (first + number) % 48) for number in range(6)))
        await require_whole(backend, server, 3)
        await backend.aclose()
        await until(lambda: descriptors() <= before)


def test_cancelling_at_every_await_loses_nothing(run: Any) -> None:
    before = connection_objects()  # of gateways that other tests share
    run(cancel_everywhere(600))
    assert connection_objects() <= before


@pytest.mark.prove
def test_ten_thousand_cancellations_lose_nothing(run: Any) -> None:
    run(cancel_everywhere(10_000))
    assert connection_objects() == 0


@pytest.mark.prove
def test_cancelling_within_tls_loses_nothing(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No slot, task or socket; uvloop's timer for a handshake keeps the object of one that was left for a minute."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    run(cancel_everywhere(2000, certified()))


def churned(number: bytes, chosen: random.Random) -> Raw:
    """One of the ways in which servers answer and close; whole answers repeat the request's number."""
    whole = sized(number)
    return chosen.choice(
        (
            Raw((whole,)),
            Raw((whole,)),
            Raw((whole[:20], whole[20:]), pause=0.0005),
            Raw((whole,), After.CLOSE),
            Raw((whole,), After.RESET),
            Raw((sized(number, b"connection: close"),)),
            Raw((whole.replace(b"1.1", b"1.0"),), After.CLOSE),
            Raw((whole + sized(b'"of another"'),)),
            Raw((), After.CLOSE),
            Raw((), After.RESET),
            Raw((whole[:-1],), After.CLOSE),
            Raw((b"HTTP/1.1 503 Full\r\ncontent-length: 0\r\n\r\n",)),
        )
    )


async def churn(times: int) -> None:
    """Requests on a server that closes as it likes, some of them left: each answer is the one to its own question."""
    chosen = random.Random(1)
    answered = 0

    async def ask(backend: Backend, number: int) -> None:
        nonlocal answered
        try:
            async with asyncio.timeout(chosen.choice((None, None, None, 0.0, 0.001))):
                assert await backend.ask(EMBEDDINGS, {"n": number}) == number
                answered += 1
        except (BackendUnavailable, BackendBroken, BackendOverloaded, TimeoutError):
            pass

    async def some(backend: Backend, numbers: range) -> None:
        for number in numbers:
            await ask(backend, number)

    answer = lambda asked: churned(b"%d" % orjson.loads(asked.body)["n"], chosen)  # noqa: E731
    async with served(answer, limit=5, timeouts=Timeouts(connect=0.5)) as (backend, server):
        await asyncio.gather(*(some(backend, range(worker, times, 16)) for worker in range(16)))
        assert answered > times / 4
        await require_whole(backend, server, 5)


def test_a_server_that_closes_as_it_likes(run: Any) -> None:
    run(churn(1000))


@pytest.mark.prove
def test_a_server_that_closes_as_it_likes_for_long(run: Any) -> None:
    run(churn(50_000))
    assert connection_objects() == 0
