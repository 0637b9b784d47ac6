"""What is known of a pool is read once, and again after something was learned."""

import asyncio

import pytest

from gateway.caching import evidence as module
from gateway.caching.evidence import Evidence
from gateway.state import Observation, StateUnavailable
from gateway.state.open import open_state
from tests.gateway.waiting import until

POOL = "tenant:acme:advise:small"


def observation(number: int) -> Observation:
    return Observation(POOL, "key", 0.97, 0.995, False, float(number))


def test_what_is_learned_counts_soon_and_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.0)

    async def run() -> None:
        state = await open_state("sqlite:///:memory:")
        try:
            evidence = Evidence(state.feedback)
            before = await evidence.of(POOL, "open")
            assert await evidence.of(POOL, "open") is before
            for number in range(3):
                await evidence.learn(observation(number))
            assert len(await state.feedback.observations(POOL)) == 3
            assert await evidence.of(POOL, "open") is before
            await until(lambda: evidence._pools[POOL, "open"].fit is not before)
        finally:
            await state.close()

    asyncio.run(run())


def test_a_store_that_is_away_keeps_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise StateUnavailable("gone")

    async def run() -> None:
        state = await open_state("sqlite:///:memory:")
        try:
            evidence = Evidence(state.feedback)
            known = await evidence.of(POOL, "open")
            monkeypatch.setattr(state.feedback, "observations", away)
            monkeypatch.setattr(state.feedback, "observe", away)
            await evidence.learn(observation(1))
            evidence._pools[POOL, "open"].due = 0.0
            assert await evidence.of(POOL, "open") is known
            await until(lambda: not evidence._reading)
            assert await evidence.of(POOL, "open") is known
            with pytest.raises(StateUnavailable):
                await evidence.of("another", "open")
        finally:
            await state.close()

    asyncio.run(run())


def test_the_pools_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POOLS", 2)

    async def run() -> None:
        state = await open_state("sqlite:///:memory:")
        try:
            evidence = Evidence(state.feedback)
            for name in "abc":
                await evidence.of(name, "open")
            assert [pool for pool, _ in evidence._pools] == ["b", "c"]
        finally:
            await state.close()

    asyncio.run(run())
