"""What is known of a pool is read once, and again after something was learned."""

import asyncio
from dataclasses import replace

import pytest

from gateway.caching import evidence as module
from gateway.caching.evidence import Evidence, Known, Learned
from gateway.caching.names import undecided
from gateway.similarity.features import NAMES, VERSION
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


def test_near_misses_say_nothing_of_the_prior() -> None:
    near = [replace(observation(number), source="near") for number in range(50)]
    cold = Known.alone("open", ()).calibration.least(0.01)
    assert Known.alone("open", near).calibration.least(0.01) == cold
    assert Known.alone("open", [replace(one, source="fresh") for one in near]).calibration.least(0.01) > cold


def test_near_misses_that_keep_being_right_widen_what_is_served() -> None:
    right = [replace(observation(number), probability=0.97, right=True, source="near") for number in range(459)]
    assert Known.alone("open", right[:458]).calibration.least(0.01) == pytest.approx(0.99)
    assert Known.alone("open", right).calibration.least(0.01) <= 0.97
    wrong = [replace(one, right=False) for one in right[:3]]
    assert Known.alone("open", [*right, *wrong]).calibration.least(0.01) == pytest.approx(0.99)


def test_in_a_proof_what_nobody_could_tell_is_wrong() -> None:
    right = [replace(observation(number), probability=0.97, right=True, source="near") for number in range(459)]
    unknown = [replace(observation(number), pool=undecided(POOL), probability=0.97) for number in range(3)]
    assert Known.alone("open", [*right, *unknown]).calibration.least(0.01) == pytest.approx(0.99)


def test_what_nobody_could_tell_closes_nothing_that_the_prior_serves() -> None:
    unknown = [replace(observation(number), pool=undecided(POOL)) for number in range(100)]
    assert Known.alone("open", unknown).calibration.least(0.01) == pytest.approx(0.99)


def test_praise_proves_nothing() -> None:
    """It only outweighs reports of what was wrong."""
    praised = [replace(observation(number), probability=0.97, right=True, source="user") for number in range(600)]
    assert Known.alone("open", praised).calibration.least(0.01) == pytest.approx(0.99)
    reports = [replace(observation(number), source="user") for number in range(3)]
    assert Known.alone("open", reports).calibration.least(0.01) > 0.99
    praised = [replace(one, probability=0.996) for one in praised]
    assert Known.alone("open", [*reports, *praised]).calibration.least(0.01) == pytest.approx(0.99)


def test_what_nobody_could_tell_is_read_with_the_rest() -> None:
    async def run() -> None:
        state = await open_state("sqlite:///:memory:")
        try:
            right = replace(observation(2), right=True)
            unknown = replace(observation(1), pool=undecided(POOL))
            for one in (right, unknown):
                await state.feedback.observe(one)
            assert await Learned(state.feedback, lambda _, seen: list(seen)).of(POOL, "open") == [right]
            assert await Evidence(state.feedback)._observations(POOL) == [unknown, right]
        finally:
            await state.close()

    asyncio.run(run())


@pytest.mark.parametrize("learn", [False, True])
def test_a_pool_has_a_model_of_its_own_where_it_is_to_learn(learn: bool) -> None:
    """Of 300 near misses those with support are right."""

    async def run() -> None:
        state = await open_state("sqlite:///:memory:")
        try:
            evidence = Evidence(state.feedback, learn)
            for number in range(300):
                looks = VERSION, 0.85, 0.5, float(number % 2) * 4, *[0.5] * (len(NAMES) - 3)
                seen = Observation(POOL, "k", 0.85, 0.8, number % 2 == 1, float(number), "near", looks)
                await state.feedback.observe(seen)
            known = await evidence.of(POOL, "open")
            assert (known.correction is not None) is learn
        finally:
            await state.close()

    asyncio.run(run())
