"""What was learned of would-be hits, in SQLite: numbered within their pool, so that the oldest are found by number.

What a user said of a request is kept once, however often it is said, and by however many at once.
"""

import json
import sqlite3
from dataclasses import astuple
from functools import partial
from typing import Any

from gateway.state import POOL, Observation
from gateway.state.sqlite.database import Database

_NEXT = "SELECT 1 + coalesce(max(number), 0) FROM observations WHERE pool = ?"
_SAID = 'SELECT 1 FROM observations WHERE pool = ? AND source = ? AND at = ? AND "key" = ?'


class SqliteFeedback:
    """`gateway.state.Feedback` over one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def observe(self, observation: Observation) -> None:
        await self._database.write(partial(_observe, observation=observation), patient=True)

    async def observations(self, pool: str) -> list[Observation]:
        return await self._database.read(partial(_observations, pool=pool))

    async def pools(self) -> list[str]:
        return await self._database.read(_pools)


def _observe(db: sqlite3.Connection, observation: Observation) -> None:
    pool, *rest, features = astuple(observation)
    if observation.source == "user":  # looked for among POOL rows at most: users speak seldom
        said = db.execute(_SAID, (pool, observation.source, observation.at, observation.key)).fetchone()
        if said:
            return
    number = db.execute(_NEXT, (pool,)).fetchone()[0]
    row = pool, number, *rest, json.dumps(features)
    db.execute("INSERT INTO observations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    db.execute("DELETE FROM observations WHERE pool = ? AND number <= ?", (pool, number - POOL))


def _observations(db: sqlite3.Connection, pool: str) -> list[Observation]:
    rows = db.execute("SELECT * FROM observations WHERE pool = ? ORDER BY number", (pool,))
    return [_observation(dict(row)) for row in rows]


def _observation(row: dict[str, Any]) -> Observation:
    del row["number"]
    return Observation(**{**row, "right": bool(row["right"]), "features": tuple(json.loads(row["features"]))})


def _pools(db: sqlite3.Connection) -> list[str]:
    return [pool for (pool,) in db.execute("SELECT DISTINCT pool FROM observations ORDER BY pool")]
