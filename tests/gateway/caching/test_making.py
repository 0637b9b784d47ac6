"""Of several processes that want the same answer one makes it: over a real store of claims."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.caching.kept import Kept
from gateway.caching.making import Making
from gateway.exchange import Hit, Verdict
from gateway.shielded import drained
from gateway.state import State
from gateway.state.open import open_state
from serving.events import Completion, Start
from tests.gateway.waiting import WAIT_S

HIT = Hit("exact", Kept(Completion(Start("id", 1, "small"), (), None), Verdict("complete", "stop")), 1.0, 0.0, "k", "p")


class World:
    """One store, and a process for each name; `dead` are those that were killed. What is `kept` can be found."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.dead: set[str] = set()
        self.kept: Hit | None = None
        self.looks = 0

    def process(self, name: str) -> Making:
        return Making(self.state.claims, name, lambda owner: owner not in self.dead, self.state.clock)

    async def look(self) -> Hit | None:
        self.looks += 1
        return self.kept

    async def looked(self) -> None:
        """Until somebody has looked in vain."""
        seen = self.looks
        while self.looks < seen + 2:  # noqa: ASYNC110 # the other side polls too
            await asyncio.sleep(0.01)


async def turns() -> None:
    """Of the loop: enough for whatever waits for nothing."""
    for _ in range(20):
        await asyncio.sleep(0)


def run(story: Callable[[World], Awaitable[None]]) -> None:
    async def told() -> None:
        state = await open_state("sqlite:///:memory:")
        try:
            await asyncio.wait_for(story(World(state)), WAIT_S)
        finally:
            await state.close()

    asyncio.run(told())


def test_the_first_makes_it_and_the_others_find_it() -> None:
    async def story(world: World) -> None:
        first, second = world.process("a"), world.process("b")
        first.open("key")
        assert await first.claimed("key", world.look) is None
        assert world.looks == 0
        waiting = asyncio.create_task(second.claimed("key", world.look))
        await world.looked()
        world.kept = HIT
        assert await waiting is HIT

    run(story)


@pytest.mark.parametrize("how", ["fails", "dies"])
def test_one_of_the_others_makes_it_when_its_maker(how: str) -> None:
    async def story(world: World) -> None:
        first, second, third = map(world.process, "abc")
        flight = first.open("key")
        assert await first.claimed("key", world.look) is None
        waiting = [asyncio.create_task(one.claimed("key", world.look)) for one in (second, third)]
        await world.looked()
        if how == "fails":
            flight.give_up()
        else:
            world.dead.add("a")
        done, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in done] == [None]
        await world.looked()
        assert not any(task.done() for task in left)
        world.kept = HIT
        assert [await task for task in left] == [HIT]

    run(story)


def test_what_was_kept_just_before_the_claim_was_free_is_found() -> None:
    async def story(world: World) -> None:
        first, second = world.process("a"), world.process("b")
        flight = first.open("key")
        await first.claimed("key", world.look)
        waiting = asyncio.create_task(second.claimed("key", world.look))
        await world.looked()
        world.kept = HIT
        flight.give_up()
        assert await waiting is HIT

    run(story)


def test_one_that_waits_and_leaves_leaves_nothing_behind() -> None:
    async def story(world: World) -> None:
        first, second, third = map(world.process, "abc")
        flight = first.open("key")
        await first.claimed("key", world.look)
        waiting = asyncio.create_task(second.claimed("key", world.look))
        await world.looked()
        waiting.cancel()
        await asyncio.wait({waiting})
        flight.give_up()
        assert await third.claimed("key", world.look) is None

    run(story)


def test_a_claim_is_renewed_while_the_answer_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only then, and not by whom it is not: another one gets it once it has been silent for long enough."""
    monkeypatch.setattr("gateway.caching.making.RENEW_S", 0.01)

    async def story(world: World) -> None:
        first, second = world.process("a"), world.process("b")
        flight = first.open("key")
        await first.claimed("key", world.look)
        await world.state.claims.release("key", "a")  # as good as silent for long
        waiting = asyncio.create_task(second.claimed("other", world.look))
        assert await waiting is None
        await asyncio.sleep(0.1)
        assert not await world.state.claims.claim("key", "b", lambda _: True, world.state.clock.now())
        flight.give_up()
        await drained()
        assert await world.state.claims.claim("key", "b", lambda _: True, world.state.clock.now())

    run(story)


def test_nothing_is_left_running_once_all_is_over() -> None:
    """A stop waits for what runs in the background."""

    async def story(world: World) -> None:
        tasks = asyncio.all_tasks()
        making = world.process("a")
        for _ in range(2):
            flight = making.open("key")
            await making.claimed("key", world.look)
            await turns()
            flight.give_up()
        await turns()
        assert asyncio.all_tasks() == tasks

    run(story)


def test_a_claim_outlives_the_release_of_the_one_before_it() -> None:
    async def story(world: World) -> None:
        first, second = world.process("a"), world.process("b")
        flight = first.open("key")
        await first.claimed("key", world.look)
        flight.give_up()  # its claim is given back a turn of the loop later
        first.open("key")
        await first.claimed("key", world.look)
        await turns()
        waiting = asyncio.create_task(second.claimed("key", world.look))
        await world.looked()
        assert not waiting.done()
        waiting.cancel()

    run(story)


def test_a_flight_is_open_until_it_is_over() -> None:
    async def story(world: World) -> None:
        making = world.process("a")
        assert making.flight("key") is None
        flight = making.open("key")
        assert making.flight("key") is flight
        flight.give_up()
        assert making.flight("key") is None

    run(story)


def test_a_forgotten_flight_leaves_the_next_one_its_place_and_its_claim() -> None:
    async def story(world: World) -> None:
        first, second = world.process("a"), world.process("b")
        old = first.open("key", 1.0)
        await first.claimed("key", world.look)
        first.forget("key", old)
        assert first.flight("key") is None
        new = first.open("key", 2.0)
        assert await first.claimed("key", world.look) is None
        first.forget("key", old)  # by another who had found it before
        old.give_up()
        await drained()
        assert first.flight("key") is new
        waiting = asyncio.create_task(second.claimed("key", world.look))
        await world.looked()
        assert not waiting.done()
        new.give_up()
        assert await waiting is None
        assert first.flight("key") is None

    run(story)
