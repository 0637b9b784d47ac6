"""Writes: what shares a commit, what fails alone, a full disk, the end. Reads: `test_database_reading.py`."""

import asyncio
import sqlite3
import threading
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.state import StateUnavailable
from gateway.state.sqlite import database
from gateway.state.sqlite.database import Database, Work
from tests.gateway.state.sqlite.notes import note, notes, play


def wait(begun: threading.Event, gate: threading.Event, db: sqlite3.Connection) -> None:
    """Keep the writer busy until the gate opens."""
    begun.set()
    gate.wait(30)


@pytest.fixture(params=["file", "memory"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "state.db") if request.param == "file" else ":memory:"


def test_commits_wait_for_the_disk(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        full, wal = 2, "wal"
        assert await database.write(lambda db: db.execute("PRAGMA synchronous").fetchone()[0]) == full
        assert await database.write(lambda db: db.execute("PRAGMA journal_mode").fetchone()[0]) == wal
        assert await database.read(lambda db: db.execute("PRAGMA foreign_keys").fetchone()[0]) == 1

    play(tmp_path / "state.db", scenario)


def test_what_waits_shares_one_commit(path: str) -> None:
    async def scenario(database: Database) -> None:
        begun, gate, statements = threading.Event(), threading.Event(), list[str]()
        await database.write(lambda db: db.set_trace_callback(statements.append))
        statements.clear()
        blocked = asyncio.create_task(database.write(partial(wait, begun, gate)))
        await asyncio.to_thread(begun.wait, 30)
        waiting = [asyncio.create_task(database.write(partial(note, str(number)))) for number in range(100)]
        await asyncio.sleep(0)
        gate.set()
        assert await asyncio.gather(*waiting) == [str(number) for number in range(100)]
        await blocked
        assert statements.count("COMMIT") == 2  # the one that blocked, and the hundred

    play(path, scenario)


def test_what_is_written_in_one_turn_of_the_loop_shares_one_commit(path: str) -> None:
    async def scenario(database: Database) -> None:
        statements = list[str]()
        await database.write(lambda db: db.set_trace_callback(statements.append))
        statements.clear()
        await asyncio.gather(*(database.write(partial(note, str(number))) for number in range(5)))
        assert statements.count("COMMIT") == 1

    play(path, scenario)


def test_what_is_written_at_once_upon_an_answer_joins_what_waits(path: str) -> None:
    async def scenario(database: Database) -> None:
        begun, gate, statements = threading.Event(), threading.Event(), list[str]()
        await database.write(lambda db: db.set_trace_callback(statements.append))
        statements.clear()

        async def twice() -> None:
            await database.write(partial(wait, begun, gate))
            await database.write(partial(note, "second"))

        first = asyncio.create_task(twice())
        await asyncio.to_thread(begun.wait, 30)
        beside = asyncio.create_task(database.write(partial(note, "beside")))
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, beside)
        assert statements.count("COMMIT") == 2

    play(path, scenario)


def test_patient_work_joins_the_next_commit(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENT_S", 30)

    async def scenario(database: Database) -> None:
        statements = list[str]()
        await database.write(lambda db: db.set_trace_callback(statements.append))
        statements.clear()
        patient = asyncio.create_task(database.write(partial(note, "patient"), patient=True))
        await asyncio.sleep(0.1)
        assert not patient.done()
        assert await database.write(partial(note, "prompt")) == "prompt"
        assert await patient == "patient"
        assert statements.count("COMMIT") == 1
        assert await database.read(notes) == ["patient", "prompt"]

    play(path, scenario)


def test_patient_work_is_done_without_company(path: str) -> None:
    async def scenario(database: Database) -> None:
        assert await database.write(partial(note, "a"), patient=True) == "a"

    play(path, scenario)


def test_closing_ends_patience(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENT_S", 3600)

    async def scenario(database: Database) -> None:
        patient = asyncio.create_task(database.write(partial(note, "a"), patient=True))
        await asyncio.sleep(0.1)
        await asyncio.wait_for(database.close(), 30)
        assert await patient == "a"

    play(path, scenario)


def test_a_failure_undoes_itself_alone(path: str) -> None:
    def half(db: sqlite3.Connection) -> None:
        note("never", db)
        raise ValueError("changed my mind")

    def wrong(db: sqlite3.Connection) -> None:
        note("never", db)
        db.execute("INSERT INTO nowhere VALUES (1)")

    async def scenario(database: Database) -> None:
        works: list[Work[Any]] = [partial(note, "a"), half, partial(note, "b"), wrong, partial(note, "c")]
        outcomes = await asyncio.gather(*(database.write(work) for work in works), return_exceptions=True)
        assert [outcomes[0], outcomes[2], outcomes[4]] == ["a", "b", "c"]
        assert isinstance(outcomes[1], ValueError)
        assert isinstance(outcomes[3], StateUnavailable)
        assert await database.read(notes) == ["a", "b", "c"]

    play(path, scenario)


def test_a_cancelled_caller_does_not_stop_its_write(path: str) -> None:
    async def scenario(database: Database) -> None:
        task = asyncio.create_task(database.write(partial(note, "a")))
        await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await database.write(partial(note, "b"))
        assert await database.read(notes) == ["a", "b"]

    play(path, scenario)


def test_a_transaction_has_the_file_to_itself_from_its_start(tmp_path: Path) -> None:
    """What it reads first still holds when it writes: no other process may write in between."""

    def read(db: sqlite3.Connection) -> None:
        notes(db)
        elsewhere = closing(sqlite3.connect(tmp_path / "state.db", timeout=0))
        with elsewhere as other, pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("INSERT INTO notes VALUES ('between')")

    async def scenario(database: Database) -> None:
        await database.write(read)

    play(tmp_path / "state.db", scenario)


def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    """SQLite's own page limit stands for the disk: the same SQLITE_FULL, which ends the whole transaction."""

    def limit(pages: int, db: sqlite3.Connection) -> None:
        db.execute(f"PRAGMA max_page_count = {pages}")

    async def scenario(database: Database) -> None:
        await database.write(partial(limit, 1))  # SQLite takes it as: no page more than now
        works = [partial(note, "x" * 100_000), partial(note, "innocent")]
        outcomes = await asyncio.gather(*map(database.write, works), return_exceptions=True)
        assert isinstance(outcomes[0], StateUnavailable)
        assert "SQLITE_FULL" in str(outcomes[0])
        await database.write(partial(limit, 1_000_000))
        await database.write(partial(note, "again"))
        acknowledged = [outcome for outcome in outcomes if isinstance(outcome, str)]
        assert await database.read(notes) == [*acknowledged, "again"]

    play(tmp_path / "state.db", scenario)


def test_closing_finishes_what_was_submitted(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        waiting = [asyncio.create_task(database.write(partial(note, str(number)))) for number in range(20)]
        await asyncio.sleep(0)
        await database.close()
        await asyncio.gather(*waiting)
        for call in (database.write, database.read):
            with pytest.raises(StateUnavailable, match="closed"):
                await call(notes)

    async def look(database: Database) -> None:
        assert len(await database.read(notes)) == 20

    play(tmp_path / "state.db", scenario)
    play(tmp_path / "state.db", look)
