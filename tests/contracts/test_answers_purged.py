"""What a purge of cached answers takes, and what it keeps from coming back."""

import asyncio
from dataclasses import replace

from gateway.state import State
from tests.contracts.conftest import Play
from tests.contracts.entries import ENTRY, vectors
from tests.contracts.places import Place


def test_purge_takes_what_has_the_tag_or_all(play: Play) -> None:
    async def scenario(state: State) -> None:
        for number, tag in enumerate(("red", "red", "blue", "green")):
            await state.answers.put(replace(ENTRY, key=str(number), tags=("all of them", tag)))
        assert await state.answers.purge("none") == 0
        assert await state.answers.purge("red") == 2
        assert sorted(await vectors(state.answers, "p", 150.0)) == ["2", "3"]
        assert await state.answers.purge() == 2
        assert await state.answers.count() == 0

    play(scenario)


def test_what_was_begun_before_a_purge_does_not_come_after_it(play: Play) -> None:
    async def scenario(state: State) -> None:
        async def kept(created: float, *tags: str) -> bool:
            await state.answers.put(replace(ENTRY, created=created, expires=created + 1_000, tags=tags))
            return await state.answers.remove("a")

        before = state.clock.now()
        assert await kept(before, "acme")
        await state.answers.purge("acme")
        assert not await kept(before, "small", "acme")
        assert await kept(before, "small")
        assert await kept(state.clock.now() + 1.0, "acme")
        await state.answers.purge()
        assert not await kept(before, "small")
        assert await kept(state.clock.now() + 1.0, "small")

    play(scenario)


def test_whether_a_purge_came_since(play: Play) -> None:
    async def scenario(state: State) -> None:
        before = state.clock.now()
        assert not await state.answers.purged(("acme",), before - 1_000)
        await state.answers.purge("acme")
        assert await state.answers.purged(("small", "acme"), before)
        for tags, since in ((("small",), before), (("acme",), state.clock.now() + 1.0), ((), before)):
            assert not await state.answers.purged(tags, since)
        await state.answers.purge()
        assert await state.answers.purged((), before)
        assert not await state.answers.purged(("acme",), state.clock.now() + 1.0)

    play(scenario)


def test_puts_that_race_with_purges_leave_nothing_behind(shared_place: Place) -> None:
    """Two gateways. Whatever was begun before the last purge is gone, from every list."""

    async def scenario() -> None:
        one, two = await shared_place.open(), await shared_place.open()

        async def put(number: int) -> None:
            now = one.clock.now()
            await asyncio.sleep(0.001 * (number % 7))
            entry = replace(ENTRY, key=str(number), created=now, expires=now + 1_000, tags=("acme", str(number % 3)))
            await (one if number % 2 else two).answers.put(entry)

        async def purge(number: int) -> None:
            await asyncio.sleep(0.0005 * number)
            await (one if number % 3 else two).answers.purge("acme")

        await asyncio.gather(*map(put, range(120)), *map(purge, range(12)), put(1), put(2))
        last = asyncio.gather(*map(put, range(60)))
        await asyncio.sleep(0.001)
        await one.answers.purge("acme")
        await last
        assert await vectors(two.answers, "p", one.clock.now()) == {}
        assert await two.answers.count() == 0
        for state in (one, two):
            await state.close()

    asyncio.run(scenario())


def test_a_purge_of_no_name_is_not_a_purge_of_all(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.answers.put(ENTRY)
        assert await state.answers.purge("") == await state.answers.purge("all") == 0
        assert await state.answers.count() == 1

    play(scenario)
