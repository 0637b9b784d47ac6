"""What a verifier's scores are worth is learned, and it serves on proof only."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from gateway.caching.evidence import Learned
from gateway.caching.kept import Kept
from gateway.caching.names import scored
from gateway.caching.verifier import Scores, Verifier
from gateway.exchange import Hit, Slot, Verdict
from gateway.models import Model
from gateway.rerank import RERANK, Reranker, RerankerUnavailable
from gateway.similarity.bounds import upper
from gateway.similarity.calibration import CONFIDENCE
from gateway.state import Observation, State
from gateway.state.open import open_state
from serving.events import Completion, Start
from serving.pool import Pool
from serving.tokens import EstimateTokens
from tests.fakes.backend import JSON, FakeBackend, Script
from tests.fakes.client import faked

POOL = "tenant:acme:advise:small"
KEPT = Kept(Completion(Start("id", 1, "small"), (), None), Verdict("complete", "stop"))
SLOT = Slot("key", "partition", POOL, None, (), "How tall is it?", 60.0)
NEAR = Hit("semantic", KEPT, 0.9, 1.0, "a", POOL, 0.8, ("changed",), near=True)


def seen(score: float, right: bool, number: int = 0) -> Observation:
    return Observation(scored(POOL, "cross"), "k", 0.9, score, right, float(number))


def scores(*pairs: tuple[float, int, int]) -> Scores:
    """Of so many right and wrong at each score."""
    return Scores.of("open", [seen(s, right) for s, good, bad in pairs for right in [True] * good + [False] * bad])


def test_before_anything_is_known_no_score_is_worth_anything() -> None:
    assert [Scores.of("open", []).probability(score) for score in (-5.0, 0.5, 1.0)] == [0.0] * 3


def test_a_probability_is_what_is_proven_of_the_pairs_that_look_at_least_as_good() -> None:
    known = scores((0.9, 400, 0), (0.5, 80, 20))
    assert known.probability(0.95) == known.probability(0.9) == pytest.approx(1 - upper(0, 400, CONFIDENCE))
    assert known.probability(0.7) == known.probability(0.5) == pytest.approx(1 - upper(20, 500, CONFIDENCE))
    assert known.probability(0.4) == 0.0


def test_a_higher_score_is_never_worth_less() -> None:
    """Of few nothing is proven, but what is proven of more of them holds."""
    known = scores((0.9, 3, 0), (0.5, 500, 0))
    assert known.probability(0.99) == known.probability(0.6) > 0.99


def test_any_scale_will_do() -> None:
    """Some models give log-odds, and only the order counts."""
    assert scores((7.5, 500, 0), (-2.0, 0, 50)).probability(8.0) > 0.99


@asynccontextmanager
async def verifier(given: float, most: float = 0.01) -> AsyncIterator[tuple[Verifier, State, FakeBackend]]:
    results = [{"index": 0, "relevance_score": given}]
    async with faked() as (backend, fake):
        fake.answers[RERANK] = Script((json.dumps({"results": results}).encode(),), headers=JSON)
        models = {"cross": Model("cross", "tiny", Pool([backend]), EstimateTokens(), 128, 1)}
        state = await open_state("sqlite:///:memory:")
        try:
            learned = Learned(state.feedback, Scores.of)
            yield Verifier(Reranker(models, "cross", 5.0), "cross", learned, most), state, fake
        finally:
            await state.close()


async def observed(state: State, observations: Sequence[Observation]) -> None:
    for one in observations:
        await state.feedback.observe(one)


def test_cold_it_serves_nothing_and_says_what_it_saw() -> None:
    async def run() -> None:
        async with verifier(0.99) as (asked, _, fake):
            rated = await asked.rated(SLOT, "open", "How high is it?", NEAR)
            assert (rated.entry, rated.near, rated.probability) == ("a", True, 0.8)
            assert rated.verified is not None
            assert (rated.verified.model, rated.verified.score, rated.verified.probability) == ("cross", 0.99, 0.0)
            assert rated.reasons[-1] == "cross scores the pair 0.990, right with probability 0.0000"
            body = fake.requests[-1].body
            assert (body["query"], body["documents"]) == (SLOT.question, ["How high is it?"])
            assert body["cache_salt"] == "partition"

    asyncio.run(run())


@pytest.mark.parametrize(("right", "near"), [(450, True), (470, False)])
def test_it_serves_once_the_rate_is_proven(right: int, near: bool) -> None:
    """459 right ones and no wrong one show with 99% that a hundredth or less is wrong."""

    async def run() -> None:
        async with verifier(0.99) as (asked, state, _):
            await observed(state, [seen(0.97, True, number) for number in range(right)])
            rated = await asked.rated(SLOT, "open", "How high is it?", NEAR)
            assert rated.near == near

    asyncio.run(run())


def test_a_lower_score_than_the_proven_ones_serves_nothing() -> None:
    async def run() -> None:
        async with verifier(0.96) as (asked, state, _):
            await observed(state, [seen(0.97, True, number) for number in range(500)])
            assert (await asked.rated(SLOT, "open", "How high is it?", NEAR)).near

    asyncio.run(run())


def test_one_that_does_not_answer_is_told() -> None:
    async def run() -> None:
        async with verifier(0.9) as (asked, _, fake):
            fake.answers[RERANK] = Script(status=500)
            with pytest.raises(RerankerUnavailable):
                await asked.rated(SLOT, "open", "How high is it?", NEAR)

    asyncio.run(run())
