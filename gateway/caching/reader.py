"""One who reads an answer that is being made: what there is of it, and then what comes. Knows not whose it is."""

import asyncio
from typing import TYPE_CHECKING, Self

from gateway.exchange import Answer

if TYPE_CHECKING:
    from gateway.caching.flight import Flight


class Reader:
    """An iterator of its own, for a generator needs closing. `read` is how many answers it has taken; while its block
    lasts the making does not run far ahead of it. Raises what the answer failed with.
    """

    def __init__(self, flight: "Flight", making: "asyncio.Task[BaseException | None]") -> None:
        self._flight, self._making, self.read = flight, making, 0

    def __enter__(self) -> Self:
        self._flight.readers.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._flight.readers.discard(self)
        self._flight.make_room()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Answer:
        answers = self._flight.answers
        while self.read == len(answers):
            if self._making.done():
                if (failure := self._making.result()) is not None:
                    raise failure.with_traceback(None)  # of many readers each would add its own to the one object
                raise StopAsyncIteration
            await self._flight.more()
        self.read += 1
        self._flight.make_room()
        return answers[self.read - 1]
