"""What one connection makes of the bytes that a server sends (`answers.py`), and of a server that does not read."""

import asyncio
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest

from serving.backend import Backend, Timeouts
from serving.errors import BackendBroken, BackendError, BackendTimeout, BackendUnavailable
from serving.events import Deltas
from tests.fakes.backend import said, words
from tests.fakes.client import ASK
from tests.fakes.raw import OK, After, Raw, RawServer, raw_server, sized, until
from tests.serving.answers import BAD, BODY, GOOD, HEAD, LONG

SHORT = Timeouts(connect=5, first_token=0.3, between_tokens=0.3, total=20)


async def asked(answer: Raw, times: int = 1, **options: Any) -> tuple[list[Any], RawServer]:
    """What a client makes of the same answer `times` times: the JSON or the error."""
    async with raw_server(answer) as server:
        backend = Backend("b", server.url, **{"timeouts": SHORT} | options)
        seen: list[Any] = []
        for _ in range(times):
            try:
                seen.append(await backend.ask("/v1/embeddings", {}))
            except BackendError as error:
                seen.append(error)
        await backend.aclose()
        return seen, server


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("piece", [1, 7, 10**6])
def test_every_good_answer_is_read(run: Any, name: str, piece: int) -> None:
    """However it is cut; and its connection is used again if that may be."""
    data, after, connections = GOOD[name]
    pieces = tuple(data[start : start + piece] for start in range(0, len(data), piece))

    async def scenario() -> None:
        seen, server = await asked(Raw(pieces, after), times=2, timeouts=Timeouts())
        assert seen == [{"ok": True}] * 2
        assert server.connections == connections

    run(scenario())


def test_what_was_read_before_does_not_count_as_part_of_a_head(run: Any) -> None:
    async def scenario() -> None:
        async with raw_server(Raw((sized(b"", *(b"x: " + b"y" * 1000,) * 60),))) as server:
            backend = Backend("b", server.url)
            for _ in range(3):
                assert await backend.health()
            assert server.connections == 1
            await backend.aclose()

    run(scenario())


@pytest.mark.parametrize("more", [sized(BODY), b"HTTP/1.1 200 OK\r\n", b"\0\xff"])
def test_bytes_that_nobody_asked_for_cost_the_connection_and_not_the_answer(run: Any, more: bytes) -> None:
    async def scenario() -> None:
        seen, server = await asked(Raw((sized(BODY) + more,)), times=2)
        assert seen == [{"ok": True}] * 2
        assert server.connections == 2

    run(scenario())


def left(server: RawServer, connections: int) -> bool:
    return server.connections == connections and not server.open


def test_a_connection_on_which_the_server_speaks_unasked_is_not_used(run: Any) -> None:
    async def scenario() -> None:
        async with raw_server(Raw((sized(BODY), sized(b'{"of": "another"}')), pause=0.05)) as server:
            backend = Backend("b", server.url)
            for connection in (1, 2):
                assert await backend.ask("/v1/embeddings", {}) == {"ok": True}
                await until(partial(left, server, connection))
            await backend.aclose()

    run(scenario())


async def failed(data: bytes, after: After, timeouts: Timeouts) -> BackendError:
    """The error that an answer leads to; the next request on the same client is answered."""
    answers = iter([Raw((data,) if data else (), after)])
    async with raw_server(lambda _: next(answers, OK)) as server:
        backend = Backend("b", server.url, timeouts=timeouts)
        with pytest.raises(BackendError) as raised:
            await backend.ask("/v1/embeddings", {})
        assert await backend.ask("/v1/embeddings", {}) == {"ok": True}
        await backend.aclose()
    return raised.value


@pytest.mark.parametrize("name", BAD)
def test_everything_else_is_a_failure_of_the_backend(run: Any, name: str) -> None:
    async def scenario() -> None:
        errors = await asyncio.gather(*(failed(BAD[name], after, Timeouts()) for after in (After.CLOSE, After.RESET)))
        assert {type(error) for error in errors} <= {BackendBroken, BackendUnavailable}

    run(scenario())


def test_everything_else_followed_by_silence_has_a_deadline(run: Any) -> None:
    async def scenario() -> None:
        errors = await asyncio.gather(*(failed(data, After.HANG, SHORT) for data in BAD.values()))
        assert {type(error) for error in errors} == {BackendBroken, BackendUnavailable, BackendTimeout}

    run(scenario())


@pytest.mark.parametrize("name", [name for name in BAD if "endless" in name and name != "endless number"])
def test_what_never_ends_is_cut_before_it_fills_the_memory(run: Any, name: str) -> None:
    """The server goes on writing: it is left, not waited for."""

    async def scenario() -> None:
        endless = BAD[name] + BAD[name][-LONG // 2 :] * 200
        pieces = tuple(endless[start : start + LONG] for start in range(0, len(endless), LONG))
        seen, server = await asked(Raw(pieces, After.HANG), timeouts=Timeouts())
        assert isinstance(seen[0], BackendBroken | BackendUnavailable)
        assert server.written < len(endless) // 2

    run(scenario())


def test_what_came_before_a_break_is_handed_over(run: Any) -> None:
    async def scenario() -> None:
        head = HEAD + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        chunk = b"".join(words("a", "b"))
        async with raw_server(Raw((head + b"%x\r\n%b\r\nrubbish" % (len(chunk), chunk),))) as server:
            backend = Backend("b", server.url)
            events = backend.stream(ASK)
            assert [getattr(await anext(events), "text", "") for _ in range(2)] == ["", "ab"]
            with pytest.raises(BackendBroken):
                await anext(events)
            await backend.aclose()

    run(scenario())


def test_a_slow_reader_slows_the_server_down(run: Any) -> None:
    """Of 64 MiB only what the sockets hold is sent while nobody reads; then all of it arrives."""
    text = "x" * 60_000
    stream = words(*(text,) * 1000, finish="stop")
    answer = Raw((HEAD + b"content-type: text/event-stream\r\n\r\n", *stream, *said()[-2:]), After.CLOSE)

    async def scenario() -> None:
        async with raw_server(answer) as server:
            backend = Backend("b", server.url)
            async with aclosing(backend.stream(ASK)) as events:
                await anext(events)
                before = -1
                while before != server.written:  # until the server stands still
                    before = server.written
                    await asyncio.sleep(0.2)
                assert before < 20 * 2**20
                texts = [one.text async for event in events if isinstance(event, Deltas) for one in event.pieces]
            await backend.aclose()
        assert [len(one) for one in texts] == [len(text)] * 1000

    run(scenario())


LARGE = {"input": "x" * 40_000_000}  # more than the sockets hold


def test_an_answer_before_the_request_was_read_is_passed_on_and_its_connection_given_up(run: Any) -> None:
    async def scenario() -> None:
        async with raw_server(Raw((sized(BODY),), After.DEAF), early=True) as server:
            backend = Backend("b", server.url)
            for _ in range(2):  # over a connection that still sends the first body, the second would wait for ever
                assert await backend.ask("/v1/embeddings", LARGE) == {"ok": True}
            await backend.aclose()

    run(scenario())


def test_a_server_that_ends_its_side_without_reading_is_not_waited_for(run: Any) -> None:
    async def scenario() -> None:
        async with raw_server(Raw((), After.END), early=True) as server:
            backend = Backend("b", server.url)
            with pytest.raises(BackendUnavailable):
                await backend.ask("/v1/embeddings", LARGE)
            await backend.aclose()

    run(scenario())


def test_a_deadline_that_was_set_for_an_earlier_request_does_not_cut_a_later_one(run: Any) -> None:
    """The timer of a connection is set for the earliest of its deadlines and kept: it must not ring for another."""

    async def scenario() -> None:
        async with raw_server(Raw((sized(BODY),), pause=0.2)) as server:
            backend = Backend("b", server.url, timeouts=Timeouts(first_token=0.8))
            for _ in range(5):
                assert await backend.ask("/v1/embeddings", {}) == {"ok": True}
            assert server.connections == 1
            await backend.aclose()

    run(scenario())
