"""Single flight: identical requests that are open at the same time are answered once, and all read along live.

    lead      makes the answer, in a task of its own, and reads it
    turn      waits until the answer begins, or until it is this request's turn to make it
    aboard    whoever waits or reads; when the last one has left, the answer in the making is cancelled

The leader's hang-up changes nothing for the others: its own scope stays open until the answer that it pays for is over.
An answer that fails before it began is made once more, by one of those who wait; refused for its own budget, a leader
hands on as often as it takes. What fails later fails for all.

Knows no store and no ledger. What is read is kept once for all readers, so one that reads slowly holds nobody up; when
all do, the engine waits for the fastest.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Literal

from gateway.caching.kept import ended, started
from gateway.caching.reader import Reader
from gateway.errors import BudgetExceeded, RateLimited, RequestTooLarge
from gateway.exchange import Answer, Call, Closed, Hit, Opened, Verdict
from serving.events import Deltas, Event

Turn = Literal["follow", "lead"] | Hit

AHEAD = 64  # answers that are made before the fastest reader has taken them; about a second's worth
FAILURES = 2  # of one flight: an answer that failed twice before it began fails for all who wait
_OWN = (BudgetExceeded, RateLimited, RequestTooLarge, asyncio.CancelledError)  # say nothing of anyone else's request


class Flight:
    """One answer, from the moment somebody asks for it until nobody needs to be told that it is being made.

    `over` is called then. Whoever creates it leads, and is aboard. `since` is when its maker asked for it, in seconds
    since the epoch.
    """

    def __init__(self, over: Callable[[], None], since: float = 0.0) -> None:
        self._forgotten, self.since = over, since
        self.answers: list[Answer] = []
        self._making: asyncio.Task[BaseException | None] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._verdict: Verdict | None = None
        self._aboard = 1
        self._failures = 0
        self._turns: deque[asyncio.Future[Turn]] = deque()
        self._behind: list[asyncio.Future[None]] = []  # readers who have read all there is
        self.readers: set[Reader] = set()
        self._room: asyncio.Future[None] | None = None  # what the making waits for, if it is far ahead

    @property
    def verdict(self) -> Verdict:
        assert self._verdict is not None, "asked for before the answer was whole"
        return self._verdict

    @property
    def model(self) -> str | None:
        """The alias that answers; None until it has begun to."""
        first = self.answers[0] if self.answers else None
        return first.start.model if isinstance(first, Opened) else None

    def checked(self, verdict: Verdict, keeping: "asyncio.Task[None] | None") -> None:
        """The leader's answer is whole; until `keeping` is done it is found here, then in the store."""
        self._verdict, self._keeping = verdict, keeping

    async def turn(self) -> Turn:
        """Come aboard. Returns "follow" once the answer has begun, "lead" when it is ours to make, a Hit when it was
        found elsewhere. Raises what the answer failed with before it began."""
        self._aboard += 1
        try:
            return "follow" if self.answers else await self._wait()
        except BaseException:
            self.leave()
            raise

    def found(self, hit: Hit) -> None:
        """It need not be made: everyone who waits gets this."""
        while self._turns:
            _resolve(self._turns.popleft(), hit)
        self._over()

    def give_up(self) -> None:
        """Its leader leaves before it has begun to make it."""
        self._aboard -= 1
        self._hand_on()

    async def lead(self, answers: AsyncGenerator[Answer, None]) -> AsyncGenerator[Answer, None]:
        """Make it and read it. Leaves only when it is over, or nobody else is aboard."""
        making = self._making = asyncio.create_task(self._make(answers))
        try:
            with Reader(self, making) as reader:
                async for answer in reader:
                    yield answer
        finally:
            self.leave()
            await _ended(making)

    async def follow(self, answers: AsyncGenerator[Answer, None]) -> AsyncGenerator[Answer, None]:
        """Those of a request that reads along: it is aboard until they end."""
        try:
            async with aclosing(answers):
                async for answer in answers:
                    yield answer
        finally:
            self.leave()

    def leave(self) -> None:
        """Go from board; the last one stops the making."""
        self._aboard -= 1
        if not self._aboard and self._making and not self._making.done():
            self._over()  # whoever asks from now on makes it anew
            self._making.cancel()

    async def events(self, call: Call) -> AsyncGenerator[Event, None]:
        """The leader's answer as another request's own (`gateway.exchange.Given`). Raises what the leader was told."""
        assert self._making is not None
        with Reader(self, self._making) as reader:
            async for answer in reader:
                match answer:
                    case Opened():
                        yield started(call, answer.start)
                    case Deltas():
                        yield answer
                    case Closed():
                        yield ended(answer.completion)

    async def _make(self, answers: AsyncGenerator[Answer, None]) -> BaseException | None:
        """Returns what it failed with, for everyone who reads to raise."""
        failure: BaseException | None = None
        try:
            async with aclosing(answers):
                async for answer in answers:
                    self._add(answer)
                    await self._taken()
        except BaseException as error:  # a panic of a Rust library is no Exception
            failure = error
        if self.answers:
            self._finished()
        else:
            self._failed(failure)
        self._wake()
        return failure

    async def more(self) -> None:
        """Returns when there is more to read, or no more to come."""
        more = asyncio.get_running_loop().create_future()
        self._behind.append(more)
        await more

    def _add(self, answer: Answer) -> None:
        self.answers.append(answer)
        self._wake()
        while self._turns:
            _resolve(self._turns.popleft(), "follow")

    async def _taken(self) -> None:
        """Wait while the fastest reader is far behind: an engine works for nobody who takes nothing."""
        while self.readers and len(self.answers) - max(reader.read for reader in self.readers) > AHEAD:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def make_room(self) -> None:
        """A reader has read on, or left."""
        if self._room and not self._room.done():
            self._room.set_result(None)

    def _wake(self) -> None:
        behind, self._behind = self._behind, []
        for reader in behind:
            if not reader.done():
                reader.set_result(None)

    def _finished(self) -> None:
        if self._keeping and not self._keeping.done():
            self._keeping.add_done_callback(lambda _: self._over())
        else:
            self._over()

    def _failed(self, failure: BaseException | None) -> None:
        """Before it began."""
        self._failures += not isinstance(failure, _OWN)
        if failure is None or self._failures < FAILURES:
            self._hand_on()
            return
        while self._turns:
            _resolve(self._turns.popleft(), failure)
        self._over()

    def _hand_on(self) -> None:
        """One of those who wait makes it now."""
        while self._turns:
            if _resolve(self._turns.popleft(), "lead"):
                return
        self._over()

    def _over(self) -> None:
        """Once."""
        forgotten, self._forgotten = self._forgotten, lambda: None
        forgotten()

    async def _wait(self) -> Turn:
        turn: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None and turn.result() == "lead":
                self._hand_on()
            raise


def _resolve(turn: "asyncio.Future[Turn]", outcome: Turn | BaseException) -> bool:
    """False when nobody waits for it any more."""
    if turn.done():
        return False
    if isinstance(outcome, BaseException):
        turn.set_exception(outcome)
    else:
        turn.set_result(outcome)
    return True


async def _ended(making: "asyncio.Task[BaseException | None]") -> None:
    """Wait for its end, though the leader's client has left; a second cancellation (a stop) ends it."""
    if making.done():  # as always when its leader has read it whole
        return
    try:
        await asyncio.wait({making})
    except asyncio.CancelledError:
        making.cancel()
        await asyncio.wait({making})
        raise
