"""No connection is ever lost: not by cancelling at any await, not by a server that closes them as it likes."""

import asyncio
import gc
import os
import random
from contextlib import AsyncExitStack, aclosing
from ssl import SSLContext
from typing import Any

import orjson
import pytest

from serving.backend import Backend, Timeouts
from serving.connection import Connection
from serving.errors import BackendBroken, BackendOverloaded, BackendUnavailable
from tests.fakes.backend import said
from tests.fakes.client import ASK
from tests.fakes.raw import OK, After, Raw, RawServer, sized, until
from tests.serving.pools import BEGUN, CERTIFICATE, EMBEDDINGS, HEAD, WHOLE, cancelled, certified, served


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
