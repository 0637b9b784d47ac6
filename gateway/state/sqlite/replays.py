"""Answers under a client's Idempotency-Key in SQLite. One row a key; a claim and its judgement are one transaction."""

import sqlite3
from collections.abc import Callable
from dataclasses import astuple
from functools import partial

from gateway.state import REPLAY_S, Replay
from gateway.state.sqlite.database import Database

_OWN = "tenant = ? AND key = ? AND request_id = ? AND owner = ?"


class SqliteReplays:
    """`gateway.state.Replays` over one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, replay: Replay, alive: Callable[[str], bool]) -> Replay | None:
        return await self._database.write(partial(_begin, replay=replay, alive=alive))

    async def finish(self, replay: Replay) -> None:
        await self._database.write(partial(_finish, replay=replay))

    async def abandon(self, replay: Replay) -> None:
        await self._database.write(partial(_abandon, replay=replay))


def _begin(db: sqlite3.Connection, replay: Replay, alive: Callable[[str], bool]) -> Replay | None:
    db.execute("DELETE FROM replays WHERE at <= ?", (replay.at - REPLAY_S,))
    row = db.execute("SELECT * FROM replays WHERE tenant = ? AND key = ?", (replay.tenant, replay.key)).fetchone()
    found = Replay(**dict(row)) if row else None
    if found and not _free(found, replay, alive):
        return found
    db.execute("REPLACE INTO replays VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(replay))
    return None


def _free(found: Replay, replay: Replay, alive: Callable[[str], bool]) -> bool:
    """Whether a claim may be taken: it is this request's own (asked again), or nobody lives who could finish it."""
    return found.over(replay.at, alive) or (not found.status and _identity(found) == _identity(replay))


def _finish(db: sqlite3.Connection, replay: Replay) -> None:
    db.execute(
        f"UPDATE replays SET status = ?, content_type = ?, body = ? WHERE {_OWN}",
        (replay.status, replay.content_type, replay.body, *_identity(replay)),
    )


def _abandon(db: sqlite3.Connection, replay: Replay) -> None:
    db.execute(f"DELETE FROM replays WHERE {_OWN} AND status = 0", _identity(replay))


def _identity(replay: Replay) -> tuple[str, str, str, str]:
    return replay.tenant, replay.key, replay.request_id, replay.owner
