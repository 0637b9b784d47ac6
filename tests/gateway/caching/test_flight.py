"""One makes, the others read along: whoever leaves, and whatever fails."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest

from gateway.caching.flight import Flight
from gateway.errors import BudgetExceeded, Unavailable
from gateway.exchange import Answer, Call, Closed, Hit, Opened, Verdict
from serving.events import Completion, Delta, Deltas, End, Event, Start, Usage
from tests.gateway.calls import call
from tests.gateway.waiting import WAIT_S

START = Start("id", 1, "small")
WHOLE: Sequence[Answer] = (
    Opened(START, "miss", ()),
    Deltas((Delta(0, {"content": "Hello"}),)),
    Deltas((Delta(0, {"content": " world"}),)),
    Closed(Completion(START, (), Usage(1, 2)), Usage(1, 2), (), None, {}),
)


class Source:
    """An answer in the making, step by step; `error` is what it fails with after so many."""

    def __init__(self, answers: Sequence[Answer] = WHOLE, error: Exception | None = None) -> None:
        self._answers, self._error = answers, error
        self.steps, self.closing = asyncio.Semaphore(0), asyncio.Event()
        self.closing.set()
        self.made = self.begun = 0
        self.closed = False

    def free(self, steps: int = 100) -> None:
        for _ in range(steps):
            self.steps.release()

    async def answers(self) -> AsyncGenerator[Answer, None]:
        self.begun += 1
        try:
            for answer in self._answers:
                await self.steps.acquire()
                self.made += 1
                yield answer
            if self._error:
                raise self._error
        finally:
            await self.closing.wait()
            self.closed = True


class Flown:
    """A flight with its leader as a task, and how often it was told to be over."""

    def __init__(self, source: Source) -> None:
        self.overs = 0
        self.flight = Flight(self._over)
        self.leader = asyncio.create_task(led(self.flight, source))

    def _over(self) -> None:
        self.overs += 1


async def led(flight: Flight, source: Source) -> list[Answer]:
    async with aclosing(flight.lead(source.answers())) as answers:
        return [answer async for answer in answers]


async def followed(flight: Flight, asked: Call | None = None) -> list[Event]:
    """What a follower reads, as its pipeline does."""
    assert await flight.turn() == "follow"
    events: list[Event] = []

    async def own() -> AsyncGenerator[Answer, None]:
        async for event in flight.events(asked or call()):
            events.append(event)
            yield Deltas(())

    async with aclosing(flight.follow(own())) as answers:
        async for _ in answers:
            pass
    return events


async def settled(rounds: int = 20) -> None:
    """Let everything that can go on go on."""
    for _ in range(rounds):
        await asyncio.sleep(0)


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
