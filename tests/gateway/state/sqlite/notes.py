"""A database of notes, for tests of how anything is written and read."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.state.sqlite.database import Database

Scenario = Callable[[Database], Awaitable[None]]


def play(path: Path | str, scenario: Scenario) -> None:
    async def run() -> None:
        database = await Database.open(str(path))
        try:
            await database.write(lambda db: db.execute("CREATE TABLE IF NOT EXISTS notes (note TEXT) STRICT"))
            await scenario(database)
        finally:
            await database.close()

    asyncio.run(run())


def note(text: str, db: sqlite3.Connection) -> str:
    db.execute("INSERT INTO notes VALUES (?)", (text,))
    return text


def notes(db: sqlite3.Connection) -> list[str]:
    return [text for (text,) in db.execute("SELECT note FROM notes ORDER BY rowid")]
