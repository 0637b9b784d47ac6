"""What the cache has saved: counted on a real journal and on what was observed."""

import asyncio
from dataclasses import replace
from typing import Any

from gateway.caching.judgements import Judgements
from gateway.caching.names import undecided
from gateway.caching.opinion import Judgement, Outcome
from gateway.prices import Prices
from gateway.savings import Savings, judged, observed, savings
from gateway.settings import Price
from gateway.similarity.bounds import lower, upper
from gateway.state import Observation, State
from gateway.state.open import open_state
from serving.events import Usage
from tests.gateway.cli.journal import record

PRICES = Prices({"small": Price(input=1.0, output=2.0)})
TOLD = {"tokens": {"input": 100, "output": 40, "cached": 0}}
MADE = [{"stage": "generate", "at_ms": 0, "ms": 500.0, "facts": {"output_tokens": 50}}]


def rows(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    return [record(f"request-{number}", **one).row() for number, one in enumerate(changes)]


def counted(written: list[dict[str, Any]], newest: int = 100) -> Savings:
    async def run(state: State) -> Savings:
        for row in written:
            await state.journal.write(row)
        return await savings(state.journal, PRICES, newest)

    found: Savings = asyncio.run(opened(run))
    return found


async def opened(work: Any) -> Any:
    state = await open_state("sqlite:///:memory:")
    try:
        return await work(state)
    finally:
        await state.close()


def test_hits_save_what_they_told() -> None:
    hit = {"gateway": TOLD, "stages": []}
    found = counted(
        rows({"cache": "miss", "stages": MADE}, hit | {"cache": "exact"}, hit | {"cache": "semantic"}, {"cache": None})
    )
    assert found == Savings(3, 1, 1, input_tokens=200, output_tokens=80, usd=0.00036, engine_s=0.8)


def test_what_has_no_price_or_no_pace_is_unknown() -> None:
    found = counted(rows({"cache": "exact", "gateway": TOLD, "stages": [], "model": "free"}))
    assert (found.usd, found.engine_s, found.output_tokens) == (None, None, 40)
    assert counted([]) == Savings(0, 0, 0, 0, 0, 0.0, None)


def test_only_the_newest_are_looked_at() -> None:
    hits = [{"cache": "exact", "gateway": TOLD, "stages": [], "at": float(at)} for at in range(5)]
    assert counted(rows(*hits), newest=2).exact == 2


def test_each_pool_tells_its_wrong_share_with_its_limits() -> None:
    async def run(state: State) -> list[dict[str, Any]]:
        for number in range(100):
            one = Observation("tenant:acme:advise:small", f"k{number}", 0.97, 0.99, number != 0, float(number))
            await state.feedback.observe(one)
        return await observed(state.feedback)

    (pool,) = asyncio.run(opened(run))
    assert (pool["pool"], pool["seen"], pool["wrong"], pool["wrong_rate"]) == ("tenant:acme:advise:small", 100, 1, 0.01)
    assert 0 < pool["low"] < 0.001 < 0.05 < pool["high"] < 0.06


def test_what_nobody_could_tell_widens_the_limits_and_what_came_near_is_told_apart() -> None:
    pool = "tenant:acme:advise:small"
    hit = Observation(pool, "k", 0.97, 0.99, True, 0.0)
    unknown = replace(hit, pool=undecided(pool), right=False)

    async def run(state: State) -> list[dict[str, Any]]:
        kept = [hit] * 90 + [replace(hit, right=False)] * 2 + [replace(hit, source="near", right=False)] * 7
        kept += [replace(hit, source="user", right=False, at=float(at)) for at in range(5)]
        kept += [unknown] * 8 + [replace(unknown, source="near")] * 3
        kept += [replace(hit, pool=f"{pool}:verifier:cross"), replace(unknown, pool="shared:faq:small:undecided")]
        for one in kept:
            await state.feedback.observe(one)
        return await observed(state.feedback)

    other, found = asyncio.run(opened(run))
    assert (other["pool"], other["seen"], other["undecided"], other["wrong_rate"]) == ("shared:faq:small", 0, 1, None)
    assert (found["seen"], found["wrong"], found["undecided"], found["wrong_rate"]) == (92, 2, 8, 0.0217)
    assert found["reported"] == 5
    assert (found["near"], found["near_wrong"], found["near_undecided"]) == (7, 7, 3)
    assert (found["low"], found["high"]) == (round(lower(2, 100, 0.975), 4), round(upper(10, 100, 0.975), 4))


def test_what_the_judge_used_is_told_and_is_no_tenants() -> None:
    told: list[Judgement] = []

    async def run(state: State) -> tuple[Any, Any, Any]:
        nothing = await judged(state.journal)
        tell = Judgements(state.journal, PRICES, told.append)
        outcomes: list[Outcome] = ["same", "failed", "refused"]
        for outcome in outcomes:
            await tell(Judgement("small", outcome, Usage(500, 4), 1_790_000_000.0, 0.25))
        return nothing, await judged(state.journal), await savings(state.journal, PRICES, 100)

    nothing, used, saved = asyncio.run(opened(run))
    assert nothing is None
    assert used == {"comparisons": 2, "input_tokens": 1_000, "output_tokens": 8, "usd": 0.001016}
    assert saved.requests == 0
    assert len(told) == 3
