"""Claims of the processes on one machine: who is silent loses them, and what an earlier boot left is removed."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from gateway.state import CLAIM_S, StateUnavailable
from gateway.state.owners import boot
from gateway.state.sqlite.claims import SqliteClaims

NOW = 1_000.0


def living(owner: str) -> bool:
    return True


def play(path: Path, scenario: Callable[[SqliteClaims], Awaitable[None]]) -> None:
    async def run() -> None:
        claims = SqliteClaims.open(str(path))
        await scenario(claims)
        await claims.close()

    asyncio.run(run())


def test_who_is_silent_for_too_long_loses_the_claim(tmp_path: Path) -> None:
    async def scenario(claims: SqliteClaims) -> None:
        assert await claims.claim("a", "one", living, NOW)
        assert await claims.claim("a", "one", living, NOW + CLAIM_S - 1)  # a sign of life
        assert not await claims.claim("a", "two", living, NOW + 2 * CLAIM_S - 2)
        assert await claims.claim("a", "two", living, NOW + 2 * CLAIM_S)

    play(tmp_path / "state.db", scenario)


def test_claims_of_an_earlier_boot_are_removed_and_nothing_else(tmp_path: Path) -> None:
    async def scenario(claims: SqliteClaims) -> None:
        assert await claims.claim("a", "one", living, NOW)

    others = [tmp_path / name for name in ("state.db", "state.db-wal", "other.db.claims-0")]
    for file in (*others, tmp_path / "state.db.claims-0", tmp_path / "state.db.claims-0-wal"):
        file.write_text("no database")
    play(tmp_path / "state.db", scenario)
    play(tmp_path / "state.db", not_free)
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {file.name for file in others} | {f"state.db.claims-{boot()[:8]}"}


async def not_free(claims: SqliteClaims) -> None:
    assert not await claims.claim("a", "two", living, NOW)


def test_nobody_waits_long_for_a_process_that_stands_still_in_the_midst_of_a_claim(tmp_path: Path) -> None:
    async def scenario(claims: SqliteClaims) -> None:
        with closing(sqlite3.connect(tmp_path / f"state.db.claims-{boot()[:8]}", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StateUnavailable, match="SQLITE_BUSY"):
                await claims.claim("a", "one", living, NOW)
        assert await claims.claim("a", "one", living, NOW)

    play(tmp_path / "state.db", scenario)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(StateUnavailable, match="cannot keep claims beside it"):
        SqliteClaims.open(str(tmp_path / "none" / "state.db"))


def test_who_comes_after_the_end_is_told(tmp_path: Path) -> None:
    async def scenario(claims: SqliteClaims) -> None:
        await claims.close()
        for late in (claims.claim("a", "one", living, NOW), claims.release("a", "one")):
            with pytest.raises(StateUnavailable, match="cannot be kept"):
                await late

    play(tmp_path / "state.db", scenario)
