"""An answer in the making, step by step, its leader and those who read along."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from gateway.caching.flight import Flight
from gateway.exchange import Answer, Call, Closed, Opened
from serving.events import Completion, Delta, Deltas, Event, Start, Usage
from tests.gateway.calls import call

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
