"""One makes, the others read along, and whatever fails. Whoever leaves: `test_flight_leaving.py`."""

import asyncio

import pytest

from gateway.caching.flight import Flight
from gateway.errors import BudgetExceeded, Unavailable
from gateway.exchange import Hit, Verdict
from serving.events import Deltas, End, Start
from tests.gateway.caching.flying import WHOLE, Flown, Source, followed, led, settled
from tests.gateway.calls import call
from tests.gateway.waiting import WAIT_S


def test_all_read_one_answer_whenever_they_come() -> None:
    async def run() -> None:
        source = Source()
        flown = Flown(source)
        early = [asyncio.create_task(followed(flown.flight)) for _ in range(3)]
        await settled()
        source.free(2)
        await settled()
        late = asyncio.create_task(followed(flown.flight))
        await settled()
        source.free()
        assert await flown.leader == list(WHOLE)
        for events in await asyncio.gather(*early, late):
            assert [type(event) for event in events] == [Start, Deltas, Deltas, End]
            assert events[1:3] == list(WHOLE[1:3])
        assert (source.begun, flown.overs) == (1, 1)

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_a_follower_reads_live() -> None:
    async def run() -> None:
        source = Source()
        flown = Flown(source)
        asked = call()
        await settled()
        turn = asyncio.create_task(flown.flight.turn())
        await settled()
        assert not turn.done()
        source.free(2)
        assert await turn == "follow"
        events = flown.flight.events(asked)
        first = await anext(events)
        assert isinstance(first, Start)
        assert first.id == f"chatcmpl-{asked.request_id}"
        assert await anext(events) == WHOLE[1]
        third = asyncio.ensure_future(anext(events))
        await settled()
        assert not third.done()
        source.free()
        assert await third == WHOLE[2]
        await flown.leader

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_a_refused_leader_hands_on_until_one_may() -> None:
    """Its own budget says nothing of the others', however many of them have none."""

    async def run() -> None:
        flown = Flown(Source((), BudgetExceeded("spent")))
        turns = [asyncio.create_task(flown.flight.turn()) for _ in range(4)]
        await settled()
        with pytest.raises(BudgetExceeded):
            await flown.leader
        for turn in turns[:2]:
            assert await turn == "lead"
            with pytest.raises(BudgetExceeded):
                await led(flown.flight, Source((), BudgetExceeded("spent")))
        assert await turns[2] == "lead"
        source = Source()
        source.free()
        assert await led(flown.flight, source) == list(WHOLE)
        assert await turns[3] == "follow"
        assert flown.overs == 1

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_what_fails_before_it_began_is_made_once_more_and_no_more() -> None:
    async def run() -> None:
        flown = Flown(Source((), Unavailable("down")))
        turns = [asyncio.create_task(flown.flight.turn()) for _ in range(3)]
        await settled()
        with pytest.raises(Unavailable):
            await flown.leader
        assert await turns[0] == "lead"
        with pytest.raises(Unavailable):
            await led(flown.flight, Source((), Unavailable("down")))
        for turn in turns[1:]:
            with pytest.raises(Unavailable):
                await turn
        assert flown.overs == 1

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_what_fails_after_it_began_fails_for_all() -> None:
    async def run() -> None:
        source = Source(WHOLE[:2], Unavailable("broke"))
        flown = Flown(source)
        followers = [asyncio.create_task(followed(flown.flight)) for _ in range(3)]
        await settled()
        source.free()
        outcomes = await asyncio.gather(flown.leader, *followers, return_exceptions=True)
        assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
        assert flown.overs == 1

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_an_answer_found_elsewhere_is_everyones() -> None:
    async def run() -> None:
        overs: list[int] = []
        flight = Flight(lambda: overs.append(1))
        waiting = [asyncio.create_task(flight.turn()) for _ in range(3)]
        await settled()
        hit = Hit("exact", flight, 1.0, 0.0, "key", "pool")
        flight.found(hit)
        assert await asyncio.gather(*waiting) == [hit] * 3
        assert overs == [1]

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_it_is_there_until_the_answer_is_kept() -> None:
    async def run() -> None:
        source, kept = Source(), asyncio.Event()

        async def keep() -> None:
            await kept.wait()

        flown = Flown(source)
        verdict = Verdict("complete", "stop")
        keeping = asyncio.create_task(keep())
        flown.flight.checked(verdict, keeping)
        source.free()
        await flown.leader
        assert flown.overs == 0
        assert len(await followed(flown.flight)) == 4
        assert flown.flight.verdict is verdict
        kept.set()
        await keeping
        await settled()
        assert flown.overs == 1

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_a_slow_reader_holds_nobody_up() -> None:
    async def run() -> None:
        source = Source()
        flown = Flown(source)
        await settled()
        source.free(1)
        assert await flown.flight.turn() == "follow"
        slow = flown.flight.events(call())
        await anext(slow)
        source.free()
        assert await flown.leader == list(WHOLE)
        assert [type(event) async for event in slow] == [Deltas, Deltas, End]

    asyncio.run(asyncio.wait_for(run(), WAIT_S))
