"""How far an answer is made ahead of those who read it, and what a flight does when a library panics."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from gateway.caching.flight import AHEAD, Flight
from gateway.exchange import Answer, Opened
from serving.events import Delta, Deltas, Start
from tests.gateway.calls import call
from tests.gateway.waiting import WAIT_S, until

OPENED = Opened(Start("id", 1, "small"), "miss", ())
WORD = Deltas((Delta(0, {"content": "word"}),))
MANY = 4 * AHEAD


class Panic(BaseException):
    """As a Rust library raises it: no Exception."""


class Long:
    """An answer of MANY words, made as fast as it may be; or one that panics after so many."""

    def __init__(self, panics_after: int = MANY) -> None:
        self.made, self._panics_after = 0, panics_after

    async def answers(self) -> AsyncGenerator[Answer, None]:
        for number in range(MANY):
            await asyncio.sleep(0)
            if number == self._panics_after:
                raise Panic
            self.made += 1
            yield WORD if number else OPENED


async def settled() -> None:
    for _ in range(2 * MANY):
        await asyncio.sleep(0)


def test_it_is_made_little_ahead_of_the_fastest_reader() -> None:
    async def run() -> None:
        source, flight = Long(), Flight(lambda: None)
        async with aclosing(flight.lead(source.answers())) as leading:
            await anext(leading)
            await settled()
            stopped_at = source.made
            assert AHEAD <= stopped_at < 2 * AHEAD
            assert await flight.turn() == "follow"
            async with aclosing(flight.events(call())) as following:
                for _ in range(AHEAD):
                    await anext(following)
                await settled()
                assert stopped_at < source.made < MANY  # the faster one sets the pace
            flight.leave()
            ahead = source.made
            await settled()
            assert source.made == ahead  # and the slower one again once it is alone
            assert len([answer async for answer in leading]) == MANY - 1

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


@pytest.mark.parametrize("after", [0, 3])
def test_a_panic_ends_it_for_all(after: int) -> None:
    async def run() -> None:
        overs: list[bool] = []
        flight, source = Flight(lambda: overs.append(True)), Long(panics_after=after)

        async def lead() -> None:
            async with aclosing(flight.lead(source.answers())) as answers:
                async for _ in answers:
                    pass

        leading, turn = asyncio.create_task(lead()), asyncio.create_task(flight.turn())
        await until(leading.done)
        assert isinstance(leading.exception(), Panic)
        if after:
            assert await turn == "follow"
            with pytest.raises(Panic):
                [event async for event in flight.events(call())]
        else:
            assert await turn == "lead"
            flight.give_up()
        assert overs == [True]

    asyncio.run(asyncio.wait_for(run(), WAIT_S))
