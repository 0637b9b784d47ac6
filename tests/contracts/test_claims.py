"""Who makes an answer that several ask for, the same over every store."""

import asyncio
import time

from gateway.state import State
from gateway.state.owners import alive
from tests.contracts.conftest import Play
from tests.contracts.places import Place
from tests.contracts.test_processes import on, process, said

NOW = 1_000.0


def living(owner: str) -> bool:
    return True


def test_one_of_many_makes_it_until_it_gives_the_claim_free(play: Play) -> None:
    async def scenario(state: State) -> None:
        claim = state.claims.claim
        assert await claim("a", "one", living, NOW)
        assert not await claim("a", "two", living, NOW)
        assert await claim("b", "two", living, NOW)
        assert await claim("a", "one", living, NOW)
        await state.claims.release("a", "two")
        await state.claims.release("b", "one")
        await state.claims.release("none", "one")
        assert not await claim("a", "two", living, NOW)
        await state.claims.release("a", "one")
        assert await claim("a", "two", living, NOW)

    play(scenario)


def test_of_many_at_once_one_has_it(shared_place: Place) -> None:
    async def scenario() -> None:
        states = [await shared_place.open() for _ in range(3)]
        asked = [state.claims.claim("a", f"{number}", living, NOW) for number, state in enumerate(states * 20)]
        assert sum(await asyncio.gather(*asked)) == 1
        for state in states:
            await state.close()

    asyncio.run(scenario())


def test_the_claim_of_the_dead_goes_to_one_who_asks(play: Play) -> None:
    async def scenario(state: State) -> None:
        assert await state.claims.claim("a", "dead", living, NOW)
        asked = [state.claims.claim("a", f"{number}", "dead".__ne__, NOW) for number in range(20)]
        assert sum(await asyncio.gather(*asked)) == 1
        await state.claims.release("a", "dead")  # late: it is another's by now
        assert not await state.claims.claim("a", "late", living, NOW)

    play(scenario)


def test_a_killed_process_loses_its_claim(shared_place: Place) -> None:
    async def look(state: State) -> None:
        assert not await state.claims.claim("a", "us", alive, time.time())
        assert not await state.claims.claim("a", "us", state.alive, time.time())
        running.kill()
        running.wait()
        assert await state.claims.claim("a", "us", state.alive, time.time())

    with process("claim", shared_place) as running:
        assert said(running) == "claimed"
        asyncio.run(on(shared_place, look))
