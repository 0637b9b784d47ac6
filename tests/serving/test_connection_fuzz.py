"""Answers that are nearly right, of good and bad ones cut, doubled and changed, lead to a backend error or none."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.backend import Backend, Timeouts
from serving.errors import BackendError
from tests.fakes.client import ASK
from tests.fakes.raw import OK, After, Asked, Raw, raw_server, until
from tests.serving.answers import BAD, GOOD

SHORT = Timeouts(connect=5, first_token=0.3, between_tokens=0.3, total=20)


# Answers that are nearly right: some of the good and bad ones, cut, doubled and with bytes changed.
CORPUS = [data for data, _, _ in GOOD.values()] + [data for data in BAD.values() if len(data) < 1000]
MARKS = (b"\r\n", b"\n", b"\0", b":", b"0")


@st.composite
def nearly_http(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(CORPUS)) + draw(st.sampled_from([b"", *CORPUS])))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([0, 1, 2, 10]))
        data[start : start + length] = draw(st.binary(max_size=3) | st.sampled_from(MARKS))
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
