"""What one connection makes of the bytes that a server sends: good HTTP in every shape, and everything else."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.backend import Backend, Timeouts
from serving.errors import BackendBroken, BackendError, BackendTimeout, BackendUnavailable
from serving.events import Deltas
from tests.fakes.backend import said, words
from tests.fakes.client import ASK
from tests.fakes.raw import OK, After, Asked, Raw, RawServer, chunked, raw_server, sized, until

HEAD = b"HTTP/1.1 200 OK\r\n"
JSON = HEAD + b"content-type: application/json\r\n"
BODY = b'{"ok": true}'
SHORT = Timeouts(connect=5, first_token=0.3, between_tokens=0.3, total=20)
LONG = 200_000  # bytes; more than any head may have


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


CHUNKS = b"c\r\n" + BODY + b"\r\n0\r\n\r\n"
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


# Answers that are nearly right: some of the good and bad ones, cut, doubled and with bytes changed.
CORPUS = [data for data, _, _ in GOOD.values()] + [data for data in BAD.values() if len(data) < 1000]


MARKS = (b"\r\n", b"\n", b"\0", b":", b"0")


@st.composite
def nearly_http(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(CORPUS)) + draw(st.sampled_from([b"", *CORPUS])))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([0, 1, 2, 10]))
        data[start : start + length] = draw(
            st.binary(max_size=3) | st.sampled_from([b"\r\n", b"\n", b"\0", b":", b"0"])
        )
    return bytes(data)


class Fuzz:
    """One server and one client for many answers; each is followed by a good one."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner

    async def try_one(self, data: bytes, cuts: list[int], after: After, stream: bool) -> None:
        edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
        pieces = tuple(piece for piece in (data[a:b] for a, b in itertools.pairwise(edges)) if piece)
        bad: list[Raw] = [Raw(pieces, after)]

        def answer(request: Asked) -> Raw:
            return OK if b"good" in request.body else (bad.pop() if bad else Raw((), After.CLOSE))

        async with raw_server(answer) as server:
            backend = Backend("b", server.url, timeouts=SHORT)
            try:
                async with asyncio.timeout(30):
                    await (backend.complete(ASK) if stream else backend.ask("/v1/embeddings", {}))
            except BackendError:
                pass
            await until(lambda: not server.open)
            await asyncio.sleep(0.001)  # what was sent has been read: bytes for nobody cost the connection
            assert await backend.ask("/v1/embeddings", {"good": 1}) == {"ok": True}
            await backend.aclose()
            assert asyncio.all_tasks() - server.tasks == {asyncio.current_task()}

    def __call__(self, *arguments: Any) -> None:
        self._runner.run(self.try_one(*arguments))


@pytest.fixture(scope="module")
def fuzz() -> Iterator[Fuzz]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield Fuzz(runner)


fuzzed = given(
    nearly_http() | st.binary(max_size=200),
    st.lists(st.integers(0, 400), max_size=4),
    st.sampled_from([After.CLOSE, After.RESET, After.CLOSE]),
    st.booleans(),
)


@settings(max_examples=150)
@fuzzed
def test_no_answer_leads_to_anything_but_a_backend_error(
    fuzz: Fuzz, data: bytes, cuts: list[int], after: After, stream: bool
) -> None:
    fuzz(data, cuts, after, stream)


@pytest.mark.prove
@settings(max_examples=10_000)
@fuzzed
def test_ten_thousand_answers_lead_to_nothing_but_backend_errors(
    fuzz: Fuzz, data: bytes, cuts: list[int], after: After, stream: bool
) -> None:
    fuzz(data, cuts, after, stream)
