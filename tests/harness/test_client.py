"""The bare client against the scripted backend, which sees what it really did."""

import asyncio
import time

import pytest

from tests.fakes.backend import FIN, HANG, JSON, RST, FakeBackend, Script
from tests.fakes.said import dripping, said
from tests.gateway.waiting import until
from tests.harness import client
from tests.harness.client import Leave, Reply, Slow, chat

ASK = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}


def asked(script: Script, **options: object) -> Reply:
    async def run() -> Reply:
        async with FakeBackend() as fake:
            fake.plan(script)
            return await chat(fake.url, "tg_x", ASK, **options)  # type: ignore[arg-type]

    return asyncio.run(run())


def test_a_whole_stream() -> None:
    reply = asked(Script(said("a", "b", "c")))
    assert (reply.status, reply.whole, reply.done, reply.said, reply.broken) == (200, True, True, 3, None)


def test_a_refusal() -> None:
    reply = asked(Script((b'{"error": {"code": "overloaded"}}',), status=503, headers=JSON))
    assert (reply.status, reply.code, reply.done) == (503, "overloaded", False)


def test_an_error_inside_a_stream() -> None:
    reply = asked(Script((*said("a")[:2], b'data: {"error": {"code": "backend_timeout"}}\n\n')))
    assert (reply.status, reply.code, reply.done, reply.said) == (200, "backend_timeout", False, 1)


@pytest.mark.parametrize(("step", "kind"), [(FIN, "ConnectionAbortedError"), (RST, "ConnectionResetError")])
def test_an_answer_that_breaks_is_told_not_raised(step: object, kind: str) -> None:
    reply = asked(Script((*said("a", "b")[:2], step)))  # type: ignore[arg-type]
    assert (reply.broken, reply.said, reply.done) == (kind, 1, False)


def test_nobody_there() -> None:
    assert asyncio.run(chat("http://127.0.0.1:1", "tg_x", ASK)).broken == "ConnectionRefusedError"


@pytest.mark.parametrize("how", client.How)
@pytest.mark.parametrize("leave", [{"events": 2}, {"bytes": 1}])
def test_it_leaves_when_it_should(how: client.How, leave: dict[str, int]) -> None:
    async def run() -> None:
        async with FakeBackend() as fake:
            fake.plan(Script((*said("a", "b", "c")[:4], HANG)))
            reply = await chat(fake.url, "tg_x", ASK, Leave(how=how, **leave))
            assert not reply.whole
            assert len(reply.events) >= leave.get("events", 0)
            await until(lambda: fake.requests[0].left_early)

    asyncio.run(run())


def test_it_reads_slowly() -> None:
    began = time.monotonic()
    reply = asked(Script(said(*"abcdefgh")), slow=Slow(bytes=256, seconds=0.02))
    assert reply.done
    assert time.monotonic() - began >= 0.02 * (reply.received // 256)


def test_every_piece_is_told() -> None:
    seen: list[int] = []
    asked(Script(dripping(0.01, said("a", "b"))), on_event=lambda reply: seen.append(reply.said))
    assert seen[-1] == 2
    assert len(seen) > 2
