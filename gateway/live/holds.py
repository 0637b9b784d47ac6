"""What all gateways of a state know of versions that are held back: rows of the journal, under a name that is no
tenant's. The newest row of a trial says how it stands.

So it outlives a restart; of many gateways the journal reaches back 35 days, and who starts later judges anew.
"""

import secrets
from collections.abc import Callable
from typing import Any

import orjson

from gateway.exchange.side import Trial
from gateway.state import COLUMNS, Journal

CANARY = "(canary)"  # a tenant's name has no brackets
ROWS = 200  # the newest: some two for each trial that is not long over
_HELD, _RELEASED = "held_back", "released"


class Holds:
    """Reads and writes them. Raises StateUnavailable. `now` gives seconds since the epoch."""

    def __init__(self, journal: Journal, now: Callable[[], float]) -> None:
        self._journal, self._now = journal, now

    async def read(self) -> dict[str, tuple[str, bool]]:
        """By a trial's key: the id of its newest row, and whether it is held back."""
        newest: dict[str, tuple[str, bool]] = {}
        for row in await self._journal.latest(ROWS, CANARY):
            newest.setdefault(orjson.loads(row["tags"])["trial"], (row["request_id"], row["stop"] == _HELD))
        return newest

    async def write(self, trial: Trial, held: bool) -> None:
        row: dict[str, Any] = dict.fromkeys(COLUMNS) | {
            "request_id": f"canary-{secrets.token_hex(12)}",
            "at": self._now(),
            "tenant": CANARY,
            "prompt": trial.prompt,
            "prompt_version": trial.version,
            "prompt_digest": trial.digest,
            "tags": orjson.dumps({"trial": trial.key}).decode(),
            "stop": _HELD if held else _RELEASED,
            "status": 200,
            "input_tokens": 0,
            "output_tokens": 0,
            "cached_tokens": 0,
        }
        await self._journal.write(row)
