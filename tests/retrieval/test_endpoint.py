"""Vectors from an endpoint, over real sockets in OpenAI's shape; and every way in which a replica fails to give one."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import numpy as np
import pytest

from retrieval.endpoint import PATH, SLICE, Endpoint, Served, Vectors
from retrieval.weights import EmbedderUnavailable
from tests.fakes.backend import FIN, JSON, FakeBackend, Script, Seen

D = 4
KEY = "sk-very-secret"


def vector(text: str) -> list[float]:
    """Not of unit length, and its own for each text."""
    return [3.0 + len(text), float(sum(map(ord, text)) % 97), -1.0, 0.5]


def unit(texts: Sequence[str]) -> Vectors:
    rows = np.array([vector(text) for text in texts], np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


async def honest(seen: Seen) -> Script:
    """Base64 as asked, in reverse, as no order is promised."""
    rows = [np.array(vector(text), "<f4").tobytes() for text in seen.body["input"]]
    data = [{"index": at, "embedding": base64.b64encode(row).decode()} for at, row in enumerate(rows)]
    return answered(data[::-1])


def answered(data: Any) -> Script:
    return Script((json.dumps({"data": data}).encode(),), headers=JSON)


@asynccontextmanager
async def served(replicas: int = 1, **more: Any) -> AsyncIterator[tuple[Endpoint, list[FakeBackend]]]:
    async with AsyncExitStack() as stack:
        fakes = [await stack.enter_async_context(FakeBackend()) for _ in range(replicas)]
        for fake in fakes:
            fake.answers[PATH] = honest
        keyed = tuple((fake.url, f"{KEY}-{number}") for number, fake in enumerate(fakes))
        endpoint = Endpoint(Served("e5", keyed, D, 16, **more))
        stack.callback(endpoint.close)
        yield endpoint, fakes


def test_unit_vectors_in_the_order_of_the_texts() -> None:
    async def run() -> None:
        async with served() as (endpoint, [fake]):
            assert np.allclose(await endpoint.embed(["one", "of three"]), unit(["one", "of three"]))
            assert fake.requests[-1].headers["authorization"] == f"Bearer {KEY}-0"
            assert fake.requests[-1].body == {"model": "e5", "input": ["one", "of three"], "encoding_format": "base64"}
            assert (await endpoint.embed([])).shape == (0, D)

    asyncio.run(run())


def test_questions_and_passages_get_the_prompts_that_the_model_was_trained_with() -> None:
    async def run() -> None:
        async with served(query="query: ", passage="passage: ") as (endpoint, [fake]):
            await endpoint.embed(["a"])
            await asyncio.to_thread(endpoint.encode, ["a"])
            assert [seen.body["input"] for seen in fake.requests] == [["query: a"], ["passage: a"]]
            assert endpoint.tokens("a") == 5

    asyncio.run(run())


def test_the_prompts_are_part_of_its_identity() -> None:
    made = [Endpoint(Served("e5", (), D, 16, query=query)) for query in ("", "query: ", "ask: ")]
    assert made[0].identity == f"e5/{D}/served"
    assert len({one.identity for one in made}) == 3
    for one in made:
        one.close()


def test_a_server_that_hangs_holds_up_no_other_work() -> None:
    async def run() -> None:
        answers = asyncio.Event()

        async def hanging(seen: Seen) -> Script:
            await answers.wait()
            return await honest(seen)

        async with served() as (endpoint, [fake]):
            fake.answers[PATH] = hanging
            asked = [asyncio.create_task(endpoint.embed([str(number)])) for number in range(40)]
            await asyncio.wait_for(asyncio.to_thread(int), 20)
            answers.set()
            assert len(await asyncio.gather(*asked)) == 40

    asyncio.run(run())


def test_many_texts_are_sent_in_slices() -> None:
    async def run() -> None:
        texts = [f"text {number}" for number in range(SLICE + 3)]
        async with served() as (endpoint, [fake]):
            assert np.allclose(await endpoint.embed(texts), unit(texts))
            assert [len(seen.body["input"]) for seen in fake.requests] == [SLICE, 3]

    asyncio.run(run())


def test_what_is_beyond_the_window_is_not_sent_for_engines_refuse_it() -> None:
    async def run() -> None:
        async with served() as (endpoint, [fake]):
            await endpoint.embed(["word " * 100, "\ud800"])
            assert fake.requests[-1].body["input"] == [("word " * 14).strip(), "?"]

    asyncio.run(run())


@pytest.mark.parametrize(
    "broken",
    [
        Script((FIN,)),
        Script(status=500, headers=JSON),
        answered([]),
        answered([{"index": 0, "embedding": [0, 0, 0, 0]}]),
        answered([{"index": 0, "embedding": [1, 2, 3]}]),
        answered([{"index": 0, "embedding": "AAAA!"}]),
        Script((b"<html>",), headers=JSON),
        Script((b"[1]",), headers=JSON),
    ],
)
def test_another_replica_answers_and_goes_on_being_asked_first(broken: Script) -> None:
    async def run() -> None:
        async with served(2) as (endpoint, [first, second]):
            first.answers[PATH] = broken
            for text in ("one", "two"):
                assert np.allclose(await endpoint.embed([text]), unit([text]))
            assert (len(first.requests), len(second.requests)) == (1, 2)
            assert second.requests[-1].headers["authorization"] == f"Bearer {KEY}-1"

    asyncio.run(run())


def test_when_none_answers_it_says_so_and_neither_key_nor_text() -> None:
    async def run() -> None:
        async with served(2) as (endpoint, fakes):
            for fake in fakes:
                fake.answers[PATH] = Script(status=401, headers=JSON)
            with pytest.raises(EmbedderUnavailable, match="'e5': it answered 401; it answered 401") as raised:
                await endpoint.embed(["what a patient said"])
            assert KEY not in str(raised.value)
            assert "patient" not in str(raised.value)

    asyncio.run(run())
