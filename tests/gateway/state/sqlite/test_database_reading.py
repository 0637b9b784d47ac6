"""Reads beside writes: by a reader of their own, or at once."""

import asyncio
import sqlite3
import threading
from functools import partial
from pathlib import Path

from gateway.state.sqlite.database import Database
from tests.gateway.state.sqlite.notes import note, notes, play


def test_reads_do_not_wait_for_a_write(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        gate = threading.Event()
        await database.write(partial(note, "before"))
        slow = asyncio.create_task(database.write(lambda db: (note("after", db), gate.wait(30))))
        await asyncio.sleep(0)
        assert await asyncio.wait_for(database.read(notes), 20) == ["before"]
        gate.set()
        await slow
        assert await database.read(notes) == ["before", "after"]

    play(tmp_path / "state.db", scenario)


def test_a_brief_read_is_done_at_once_and_sees_what_was_acknowledged(tmp_path: Path) -> None:
    here = threading.current_thread()

    async def scenario(database: Database) -> None:
        for text in ("a", "b"):
            await database.write(partial(note, text))
            assert await database.read(lambda db: (threading.current_thread(), notes(db)[-1]), brief=True) == (
                here,
                text,
            )

    play(tmp_path / "state.db", scenario)


def test_a_brief_read_that_cannot_be_done_at_once_is_left_to_a_reader(tmp_path: Path) -> None:
    here = threading.current_thread()

    def locked(db: sqlite3.Connection) -> list[str]:
        if threading.current_thread() is here:
            assert db.execute("PRAGMA busy_timeout").fetchone()[0] == 0  # nothing is waited for
            raise sqlite3.OperationalError("database is locked")
        return notes(db)

    async def scenario(database: Database) -> None:
        await database.write(partial(note, "a"))
        assert await database.read(locked, brief=True) == ["a"]

    play(tmp_path / "state.db", scenario)


def test_the_last_one_to_close_leaves_one_file(tmp_path: Path) -> None:
    """A connection that stayed open would keep the write-ahead log."""

    async def scenario(database: Database) -> None:
        await database.read(notes, brief=True)

    play(tmp_path / "state.db", scenario)
    assert [file.name for file in tmp_path.iterdir()] == ["state.db"]
