"""Where a store of the contract tests is: its URL, and the file that a gateway with Redis keeps beside it.

Redis gets seconds for a call, not milliseconds: a machine that is busy with tests is no outage.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import redis

from gateway.state import State
from gateway.state.open import open_state


@dataclass(frozen=True, slots=True)
class Place:
    """`folder` is for the store's files; `turn` numbers them."""

    url: str
    folder: Path
    turn: int = 0

    @classmethod
    def redis(cls, address: str, folder: Path) -> "Place":
        return cls(f"{address}?timeout_ms=5000", folder)

    @property
    def ledger(self) -> str:
        return f"sqlite:///{self.folder}/ledger-{self.turn}.db"

    def emptied(self) -> "Place":
        """The same place with nothing in it: a flushed Redis and a new file beside it. SQLite's own is as it is."""
        if self.url.startswith("redis"):
            redis.Redis.from_url(self.url.partition("?")[0]).flushall()
        return replace(self, turn=self.turn + 1)

    async def open(self) -> State:
        return await open_state(self.url, self.ledger)
