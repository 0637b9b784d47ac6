"""Who makes an answer that several ask for at the same time: one flight in this process, one process of all.

Each process keeps its flights; among processes that share a store a claim decides, kept alive for as long as the answer
is being made. Who does not get it looks every POLL_S whether the answer has been kept, or the claim is free again:
its owner failed or died, and the next one makes it. A store that is away is no reason to wait.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gateway.caching.flight import Flight
from gateway.exchange import Hit
from gateway.shielded import background
from gateway.state import CLAIM_S, Claims, Clock, StateUnavailable

log = logging.getLogger("tollgate.cache")

POLL_S = 0.05  # against generations of seconds, and a read is well below a millisecond
RENEW_S = CLAIM_S / 3


class Making:
    """The answers that are being made. `owner` is this process, `alive` tells of others' owners."""

    def __init__(self, claims: Claims, owner: str, alive: Callable[[str], bool], clock: Clock) -> None:
        self._claims, self._owner, self._alive, self._clock = claims, owner, alive, clock
        self._flights: dict[str, Flight] = {}
        self._claimed: set[str] = set()
        self._renewing: asyncio.Task[None] | None = None

    def flight(self, key: str) -> Flight | None:
        """That of this key, if one is open here."""
        return self._flights.get(key)

    def open(self, key: str, since: float = 0.0) -> Flight:
        """A new flight; whoever opens it leads, and has asked at `since`."""
        flight = self._flights[key] = Flight(lambda: self._over(key, flight), since)
        return flight

    def forget(self, key: str, flight: Flight) -> None:
        """Nobody comes aboard of it any more; those who are go on. The claim is the next flight's."""
        if self._flights.get(key) is flight:
            del self._flights[key]

    async def claimed(self, key: str, look: Callable[[], Awaitable[Hit | None]]) -> Hit | None:
        """None as soon as it is ours to make; a Hit when another process has made it, which `look` finds."""
        try:
            waited = False
            while not await self._taken(key):
                waited = True
                await asyncio.sleep(POLL_S)
                if hit := await look():
                    return hit
        except StateUnavailable as error:
            log.warning("the claim on an answer cannot be made: %s", error)
            return None
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())
        return await look() if waited else None  # it may have been kept since the last look

    def _over(self, key: str, flight: Flight) -> None:
        if self._flights.get(key, flight) is not flight:
            return  # it was forgotten, and the next one has its claim
        self._flights.pop(key, None)
        if key in self._claimed:
            self._claimed.discard(key)
            background(self._release(key))
        if not self._claimed and self._renewing:
            self._renewing.cancel()
            self._renewing = None

    async def _taken(self, key: str) -> bool:
        """Noted before it is asked for: whoever leaves meanwhile may have been given it."""
        self._claimed.add(key)
        taken = await self._claim(key)
        if not taken:
            self._claimed.discard(key)
        return taken

    async def _claim(self, key: str) -> bool:
        return await self._claims.claim(key, self._owner, self._alive, self._clock.now())

    async def _release(self, key: str) -> None:
        if key in self._claimed:  # by the next flight, since
            return
        try:
            await self._claims.release(key, self._owner)
        except StateUnavailable:
            log.warning("a claim could not be given back; it ends by itself within %s s", CLAIM_S)

    async def _renew(self) -> None:
        """Until the last one is over."""
        while True:
            await asyncio.sleep(RENEW_S)
            for key in tuple(self._claimed):
                try:
                    await self._claim(key)
                except StateUnavailable:
                    break
