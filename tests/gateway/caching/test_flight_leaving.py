"""An answer that one makes for many: who leaves, and when that stops the making."""

import asyncio

import pytest

from gateway.caching.flight import Flight
from tests.gateway.caching.flying import Flown, Source, followed, settled
from tests.gateway.waiting import WAIT_S


@pytest.mark.parametrize("made", [0, 2])
def test_the_leaders_hang_up_changes_nothing_for_those_who_follow(made: int) -> None:
    async def run() -> None:
        source = Source()
        flown = Flown(source)
        follower = asyncio.create_task(followed(flown.flight))
        await settled()
        source.free(made)
        await settled()
        flown.leader.cancel()
        await settled()
        assert not flown.leader.done()  # its entry stays open until the answer that it pays for is over
        source.free()
        assert len(await follower) == 4
        with pytest.raises(asyncio.CancelledError):
            await flown.leader
        assert (source.begun, source.made) == (1, 4)

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_the_last_one_to_leave_stops_the_making() -> None:
    async def run() -> None:
        source = Source()
        flown = Flown(source)
        follower = asyncio.create_task(followed(flown.flight))
        await settled()
        source.free(2)
        await settled()
        flown.leader.cancel()
        await settled()
        assert not source.closed
        follower.cancel()
        await asyncio.wait({flown.leader, follower})
        assert (source.closed, source.made, flown.overs) == (True, 2, 1)

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_a_leader_alone_that_leaves_stops_the_making_at_once() -> None:
    async def run() -> None:
        for steps in (1, 2, 3):  # before and after the making has begun
            source = Source()
            flown = Flown(source)
            await settled(steps)
            flown.leader.cancel()
            await asyncio.wait({flown.leader})
            assert source.made == 0
            assert flown.overs == 1

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_what_nobody_wants_is_joined_by_nobody() -> None:
    """From the moment on that the last one leaves, though the backend takes its time to close."""

    async def run() -> None:
        source = Source()
        source.closing.clear()
        flown = Flown(source)
        await settled()
        source.free(2)
        await settled()
        flown.leader.cancel()
        await settled()
        assert (flown.leader.done(), flown.overs) == (False, 1)
        source.closing.set()
        await asyncio.wait({flown.leader})
        assert flown.overs == 1

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_a_stop_ends_the_wait_of_a_leader_whose_client_has_left() -> None:
    async def run() -> None:
        source = Source()
        flown = Flown(source)
        follower = asyncio.create_task(followed(flown.flight))
        await settled()
        flown.leader.cancel()
        await settled()
        flown.leader.cancel()
        await asyncio.wait({flown.leader})
        assert source.closed
        follower.cancel()
        await asyncio.wait({follower})

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_who_is_to_lead_and_has_left_hands_on() -> None:
    async def run() -> None:
        overs: list[int] = []
        flight = Flight(lambda: overs.append(1))
        first, second = [asyncio.create_task(flight.turn()) for _ in range(2)]
        await settled()
        flight.give_up()  # its leader: so it is the first one's turn
        first.cancel()  # which is told, and not yet awake
        assert await second == "lead"
        flight.give_up()
        assert overs == [1]

    asyncio.run(asyncio.wait_for(run(), WAIT_S))
