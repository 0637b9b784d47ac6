"""What was learned of would-be hits, the same over every store."""

import asyncio
from dataclasses import replace

import pytest

from gateway.state import Observation, State
from tests.contracts.conftest import Play
from tests.contracts.places import Place

SEEN = Observation("acme/answer", "a", 0.93, 0.987, True, 100.5)
NEAR = replace(SEEN, source="near", features=(1.0, 0.93, -0.25, 1e-3))
TOLD = Observation("acme/answer", "b", 0.91, 0.5, False, 101.0, "user")


def test_observations_come_back_oldest_first_of_their_pool_alone(play: Play) -> None:
    async def scenario(state: State) -> None:
        other = replace(SEEN, pool="ümlaut {x}:y")
        for observation in (TOLD, SEEN, other, SEEN, NEAR):
            await state.feedback.observe(observation)
        assert await state.feedback.observations("acme/answer") == [TOLD, SEEN, SEEN, NEAR]
        assert await state.feedback.observations("ümlaut {x}:y") == [other]
        assert await state.feedback.observations("none") == []
        assert await state.feedback.pools() == ["acme/answer", "ümlaut {x}:y"]

    play(scenario)


def test_what_a_user_says_of_a_request_is_counted_once(play: Play) -> None:
    async def scenario(state: State) -> None:
        later, other = replace(TOLD, at=102.0), replace(TOLD, key="c")
        said = (TOLD, replace(TOLD, right=True), later, other)
        await asyncio.gather(*[state.feedback.observe(one) for one in said * 5])
        found = await state.feedback.observations(TOLD.pool)
        assert sorted((one.key, one.at) for one in found) == [("b", 101.0), ("b", 102.0), ("c", 101.0)]
        for one in (replace(TOLD, pool="another"), replace(TOLD, source="fresh"), replace(TOLD, source="fresh")):
            await state.feedback.observe(one)
        assert len(await state.feedback.observations("another")) == 1
        assert len(await state.feedback.observations(TOLD.pool)) == 5

    play(scenario)


def test_of_many_gateways_one_counts_it(shared_place: Place) -> None:
    async def scenario() -> None:
        states = [await shared_place.open() for _ in range(3)]
        await asyncio.gather(*[state.feedback.observe(TOLD) for state in states * 5])
        assert await states[0].feedback.observations(TOLD.pool) == [TOLD]
        for state in states:
            await state.close()

    asyncio.run(scenario())


def test_only_the_newest_of_a_pool_are_kept(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    for store in ("sqlite", "redis"):
        monkeypatch.setattr(f"gateway.state.{store}.feedback.POOL", 5)

    async def scenario(state: State) -> None:
        await state.feedback.observe(replace(SEEN, pool="quiet"))
        for number in range(12):
            await state.feedback.observe(replace(SEEN, at=float(number)))
        assert [one.at for one in await state.feedback.observations(SEEN.pool)] == [7.0, 8.0, 9.0, 10.0, 11.0]
        assert len(await state.feedback.observations("quiet")) == 1
        for number in range(12):
            await state.feedback.observe(replace(TOLD, at=float(number)))
        await state.feedback.observe(replace(TOLD, at=11.0))
        assert [one.at for one in await state.feedback.observations(TOLD.pool)] == [7.0, 8.0, 9.0, 10.0, 11.0]

    play(scenario)


def test_more_than_one_round_trip_takes_are_read_and_survive_a_restart(shared_place: Place) -> None:
    async def scenario() -> None:
        seen = [replace(SEEN, at=float(number)) for number in range(2_500)]
        one = await shared_place.open()
        for start in range(0, 2_500, 500):  # in their order within each
            await asyncio.gather(*map(one.feedback.observe, seen[start : start + 500]))
        await one.close()
        two = await shared_place.open()
        found = await two.feedback.observations(SEEN.pool)
        assert sorted(found, key=lambda one: one.at) == seen
        await two.close()

    asyncio.run(scenario())
