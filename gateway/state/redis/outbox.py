"""What a machine's file has still to tell the shared journal: the rows after a mark, and the sums that they change.

The file is the record; the mark only saves work. Redis that lost everything is told everything; one that was restarted
may have lost its last seconds, and is told the last AGAIN_S once more. Several processes of a machine may do the same
at once: all that is told may be told again.
"""

import asyncio
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from gateway.state import COLUMNS, Clock
from gateway.state.redis.shared import GROUPED, PIECE, QUARTER_S, SUMMED, SharedJournal, part, quarter, stand_in
from gateway.state.sqlite import meta
from gateway.state.sqlite.database import Database
from gateway.state.sqlite.journal import BUCKET, LENGTHS

AGAIN_S = 86_400.0  # Redis loses a second (appendfsync everysec) or a replica's lag; a day covers any clock and request
_NAME = "outbox"
_GROUPED = ", ".join(GROUPED)
_SUMMED = ", ".join(f"sum({column}) AS {column}" for column in SUMMED)


@dataclass(frozen=True, slots=True)
class Mark:
    """The last row (by rowid) that was told, to which journal, and while which servers ran."""

    journal: str = ""
    runs: str = ""
    row: int = 0


class Outbox:
    """Tells `shared` what the file `database` of the machine `node` has. `clock` says how old a row is."""

    def __init__(self, shared: SharedJournal, database: Database, node: str, clock: Clock) -> None:
        self._shared, self._database, self._node, self._clock = shared, database, node, clock
        self._telling = asyncio.Lock()

    async def push(self) -> None:
        """Tell everything after the mark; to be called every second or so. Raises StateUnavailable."""
        async with self._telling:
            mark = await self._begin()
            while rows := await self._database.read(partial(_after, row=mark.row)):
                await self._shared.tell(rows)
                await self._tell_sums(rows)
                await self._shared.owned(rows)
                mark = Mark(mark.journal, mark.runs, rows[-1]["number"])
                await meta.put(self._database, _NAME, json.dumps(asdict(mark)))

    async def stand_in(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Tell rows of machines that are dead, if they did not. Raises StateUnavailable: to be repeated."""
        for row in rows:
            if await self._shared.read(row["request_id"]) is None:  # the row is told last: it says that the sum is
                await self._shared.sum(row["tenant"], quarter(row["at"]), stand_in(row), [part(row)])
                await self._shared.tell([row])

    async def _begin(self) -> Mark:
        journal, runs = await self._shared.identity()
        kept = Mark(**json.loads(await meta.get(self._database, _NAME) or "{}"))
        if kept.journal != journal:
            return Mark(journal, runs)
        if kept.runs != runs:
            before = await self._database.read(partial(_before, at=self._clock.now() - AGAIN_S))
            return Mark(journal, runs, min(before, kept.row))
        return kept

    async def _tell_sums(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for tenant, number in dict.fromkeys((row["tenant"], quarter(row["at"])) for row in rows):
            groups = await self._database.read(partial(_sums, tenant=tenant, number=number))
            await self._shared.sum(tenant, number, self._node, groups)


def _after(db: sqlite3.Connection, row: int) -> list[dict[str, Any]]:
    found = db.execute(
        f"SELECT rowid AS number, {', '.join(COLUMNS)} FROM journal WHERE rowid > ? ORDER BY rowid LIMIT ?",
        (row, PIECE),
    )
    return [dict(row) for row in found]


def _before(db: sqlite3.Connection, at: float) -> int:
    """The last row before the first one of that time or later."""
    row = db.execute("SELECT min(rowid) AS first FROM journal WHERE at >= ?", (at,)).fetchone()
    last = db.execute("SELECT max(rowid) AS last FROM journal").fetchone()
    return int(row["first"] - 1 if row["first"] is not None else last["last"] or 0)


def _sums(db: sqlite3.Connection, tenant: str, number: int) -> list[dict[str, Any]]:
    """Of one quarter, by all that usage can be grouped by."""
    found = db.execute(
        f"SELECT {_GROUPED}, sum(requests) AS requests, {_SUMMED}, {LENGTHS} FROM "
        f"(SELECT {_GROUPED}, {BUCKET}, count(*) AS requests, {_SUMMED} FROM journal "
        f"WHERE tenant = ? AND at >= ? AND at < ? GROUP BY {_GROUPED}, bucket) GROUP BY {_GROUPED}",
        (tenant, number * QUARTER_S, (number + 1) * QUARTER_S),
    )
    return [dict(row) | {"lengths": json.loads(row["lengths"])} for row in found]
