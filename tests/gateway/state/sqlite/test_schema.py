import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.state import StateUnavailable
from gateway.state.sqlite import open_sqlite


def opened(path: Path) -> None:
    async def run() -> None:
        await (await open_sqlite(str(path))).close()

    asyncio.run(run())


def refused(path: Path) -> str:
    """How opening fails. The file is left as it was."""
    before = path.read_bytes()
    with pytest.raises(StateUnavailable) as error:
        opened(path)
    assert path.read_bytes() == before
    return str(error.value)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A state file with enough in it to have inner pages."""
    path = tmp_path / "state.db"
    opened(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(
            "INSERT INTO tenants VALUES (?, '[]', 1.0, 'UTC')", [(f"tenant {number:05}",) for number in range(5000)]
        )
    return path


def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear customer, " * 1000)
    assert "is damaged (file is not a database) and was left as it is: restore a backup" in refused(path)


def test_a_damaged_file_is_refused_and_says_how_to_save_it(made: Path) -> None:
    content = bytearray(made.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = bytes(4096)
    made.write_bytes(content)
    assert f"sqlite3 {made} .recover" in refused(made)


def test_a_cut_file_is_refused(made: Path) -> None:
    made.write_bytes(made.read_bytes()[:-40_000])
    assert "is damaged" in refused(made)


def test_a_newer_file_is_refused(made: Path) -> None:
    with closing(sqlite3.connect(made)) as db:
        db.execute("PRAGMA user_version = 99")
    assert "schema version 99, this program knows up to 5" in refused(made)


def test_a_whole_file_opens_again(made: Path) -> None:
    opened(made)
