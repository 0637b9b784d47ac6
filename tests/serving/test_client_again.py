"""When a connection breaks: which requests are tried once more, and which are not."""

import asyncio
from typing import Any

import pytest

from serving import client
from serving.backend import Backend
from serving.errors import BackendBroken, BackendUnavailable
from tests.fakes.backend import FIN, RST, Script, first, said
from tests.fakes.client import ASK, faked
from tests.fakes.raw import OK, After, Raw, raw_server
from tests.gateway.waiting import WAIT_S


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


def refused_on_a_kept_connection(answer: Raw) -> None:
    """The first request is answered, the second in this way: it fails and is not sent again."""

    async def run() -> None:
        answers = iter([OK, answer, OK])
        async with raw_server(lambda asked: next(answers)) as server:
            backend = Backend("b", server.url)
            await backend.ask("/v1/embeddings", {})
            with pytest.raises(BackendUnavailable, match="before the answer began"):
                await backend.ask("/v1/embeddings", {})
            assert len(server.asked) == 2
            await backend.aclose()

    asyncio.run(run())


def test_a_request_that_the_server_has_held_is_not_tried_again() -> None:
    """It may have begun to work on it: the second request would be a second generation."""
    refused_on_a_kept_connection(Raw((b"",), After.CLOSE, pause=1.2))


def test_only_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "JUST_CLOSED_S", WAIT_S)  # a busy machine takes its time to close a connection

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
    refused_on_a_kept_connection(Raw((b"HTTP/1.1 2",), After.CLOSE))


def test_nothing_is_tried_again_after_the_answer_began() -> None:
    async def run() -> None:
        async with faked(Script(said("one")), Script((first(), RST))) as (backend, fake):
            await backend.complete(ASK)
            with pytest.raises(BackendBroken):
                await backend.complete(ASK)
            assert len(fake.requests) == 2

    asyncio.run(run())
