"""Keys that were found a moment ago: a busy key costs two look-ups a second instead of one a request.

Knows no store and no secret: it keeps what `Keys.find` gave, and the caller still compares the digest and the times.
Invariant: what it gives was read less than FRESH_S ago, so a key revoked elsewhere is refused within a second (half of
it is left for the look-up itself); one revoked here (`forget`) at once.
"""

import time
from collections.abc import Callable

from gateway.state import Key, Keys, Tenant

FRESH_S = 0.5
MOST = 10_000  # some 10 MB; with more keys than that busy at once, all are looked up again


class RecentKeys:
    """`Keys.find`, remembered. `clock` gives seconds that never go back."""

    def __init__(self, keys: Keys, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys, self._clock = keys, clock
        self._found: dict[str, tuple[float, tuple[Key, Tenant]]] = {}
        self._forgets = 0
        self.latest = ""  # the id of the key that was read last, empty before the first

    async def find(self, key_id: str) -> tuple[Key, Tenant] | None:
        """As `Keys.find`. Unknown ids are not remembered, so that guessing fills no memory."""
        if kept := self.kept(key_id):
            return kept
        now, forgets = self._clock(), self._forgets
        found = await self._keys.find(key_id)
        if found and forgets == self._forgets:  # else what was read may have been revoked meanwhile
            self._remember(key_id, now, found)
        return found

    def kept(self, key_id: str) -> tuple[Key, Tenant] | None:
        """What is remembered of this key; None also when that is too old. Reads no store."""
        when, found = self._found.get(key_id, (0.0, None))
        return found if self._clock() - when < FRESH_S else None

    def forget(self, key_id: str) -> None:
        """Look this key up again at its next request."""
        self._forgets += 1
        self._found.pop(key_id, None)

    def _remember(self, key_id: str, now: float, found: tuple[Key, Tenant]) -> None:
        if len(self._found) >= MOST:
            self._found.clear()
        self._found[key_id] = (now, found)
        self.latest = key_id
