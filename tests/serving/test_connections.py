"""Which connection a request gets, and until when. That none is ever lost: `test_connections_lost.py`."""

import asyncio
import gc
import random
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import orjson
import pytest

from serving import connections
from serving.backend import Backend, Timeouts
from serving.errors import BackendBroken, BackendTimeout, BackendUnavailable
from tests.fakes.client import ASK
from tests.fakes.raw import After, Asked, Raw, sized, until
from tests.serving.pools import BEGUN, CERTIFICATE, EMBEDDINGS, WHOLE, cancelled, certified, served


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
