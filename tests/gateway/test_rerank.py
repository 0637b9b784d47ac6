"""Scores of a cross-encoder: as vLLM answers them, and every way in which a backend fails to."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.models import Model
from gateway.rerank import RERANK, Reranker, RerankerUnavailable
from serving.pool import EJECT_AFTER_FAILURES, Pool
from serving.tokens import EstimateTokens
from tests.fakes.backend import HANG, JSON, RST, FakeBackend, Script
from tests.fakes.client import faked
from tests.fakes.recorded import FOLDER
from tests.gateway.waiting import WAIT_S

# Of a real vLLM, on a cross-encoder with random weights: query "tokens" and these three texts.
RECORDED = (FOLDER / "vllm-0.32.0-rerank.json").read_bytes()
TEXTS = ("What is a token?", "Cats sleep.", "How are tokens counted?")


@asynccontextmanager
async def reranker(seconds: float = WAIT_S) -> AsyncIterator[tuple[Reranker, FakeBackend, Pool]]:
    async with faked() as (backend, fake):
        fake.answers[RERANK] = Script((RECORDED,), headers=JSON)
        pool = Pool([backend])
        yield Reranker({"cross": Model("cross", "tiny", pool, EstimateTokens(), 128, 1)}, "cross", seconds), fake, pool


def answered(*results: dict[str, Any]) -> Script:
    return Script((json.dumps({"results": results}).encode(),), headers=JSON)


def test_the_scores_come_in_the_order_of_the_texts() -> None:
    async def run() -> None:
        async with reranker() as (asked, fake, _):
            given = {entry["index"]: entry for entry in json.loads(RECORDED)["results"]}
            assert await asked.scores("tokens", TEXTS) == [given[index]["relevance_score"] for index in range(3)]
            assert [given[index]["document"]["text"] for index in range(3)] == list(TEXTS)
            assert fake.requests[-1].body == {"model": "tiny", "query": "tokens", "documents": list(TEXTS)}

    asyncio.run(run())


def test_a_salt_keeps_the_engines_prefix_cache_apart() -> None:
    async def run() -> None:
        async with reranker() as (asked, fake, _):
            await asked.scores("tokens", TEXTS, "ab12")
            assert fake.requests[-1].body["cache_salt"] == "ab12"

    asyncio.run(run())


def test_nothing_to_rate_asks_nobody() -> None:
    async def run() -> None:
        async with reranker() as (asked, fake, _):
            assert await asked.scores("tokens", []) == []
            assert fake.requests == []

    asyncio.run(run())


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (Script(status=404, headers=JSON), "HTTP 404"),
        (Script((b'{"error": {"message": "too long"}}',), status=400, headers=JSON), "too long"),
        (Script((RST,)), "broke"),
        (Script((b"[]",), headers=JSON), "unexpected shape"),
        (answered({"index": 0, "relevance_score": 0.5}), "unexpected shape"),
        (answered(*({"index": index, "relevance_score": 1.0} for index in (0, 1, 3))), "unexpected shape"),
        (answered(*({"index": index, "relevance_score": None} for index in range(3))), "unexpected shape"),
        (answered(*({"index": index, "relevance_score": "nan"} for index in range(3))), "unexpected shape"),
    ],
)
def test_a_backend_that_gives_no_score_for_each_text_is_unavailable(script: Script, says: str) -> None:
    async def run() -> None:
        async with reranker() as (asked, fake, _):
            fake.answers[RERANK] = script
            with pytest.raises(RerankerUnavailable, match=says):
                await asked.scores("tokens", TEXTS)

    asyncio.run(run())


def test_a_slow_backend_is_left_at_the_deadline_and_after_some_failures_not_asked() -> None:
    async def run() -> None:
        async with reranker(0.05) as (asked, fake, pool):
            fake.answers[RERANK] = Script((HANG,), headers=JSON)
            for _ in range(EJECT_AFTER_FAILURES):
                with pytest.raises(RerankerUnavailable, match=r"no answer within 0\.05 s"):
                    await asked.scores("tokens", TEXTS)
            assert pool.ejected(pool.backends[0])
            before = len(fake.requests)
            with pytest.raises(RerankerUnavailable, match="left alone"):
                await asked.scores("tokens", TEXTS)
            assert len(fake.requests) == before

    asyncio.run(run())


def test_a_text_that_the_model_refuses_is_no_failure_of_the_backend() -> None:
    async def run() -> None:
        async with reranker() as (asked, fake, pool):
            fake.answers[RERANK] = Script((b"{}",), status=400, headers=JSON)
            for _ in range(EJECT_AFTER_FAILURES):
                with pytest.raises(RerankerUnavailable):
                    await asked.scores("tokens", TEXTS)
            assert not pool.ejected(pool.backends[0])

    asyncio.run(run())


def test_a_model_that_is_not_connected_is_unavailable() -> None:
    with pytest.raises(RerankerUnavailable, match="not connected"):
        asyncio.run(Reranker({}, "cross", 1.0).scores("tokens", TEXTS))
