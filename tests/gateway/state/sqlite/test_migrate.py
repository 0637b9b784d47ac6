"""A file as the last program with schema version 1 left it: read, settled, recovered and written by this one."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.state import COLUMNS, Entry, Key, Limit, Observation, State, StateUnavailable, Tenant
from gateway.state.counters import Counter
from gateway.state.limits import parse_limit
from gateway.state.sqlite import open_sqlite
from gateway.state.sqlite.budgets import SqliteBudgets
from gateway.state.sqlite.schema import VERSION

DUMP = Path(__file__).with_name("version_1.sql").read_text()
LIMITS = tuple(map(parse_limit, ("tokens/day=100000", "usd/month=12.5", "requests/minute=60", "tokens/request=4000")))
ACME = Tenant("acme", LIMITS, 10.5)
FREE = Tenant("free", (), 11.0)
KEY = Key("k1", "acme", bytes(range(32)), (Limit("tokens", "day", 5_000),), 11.25, expires=99.5)
DAY = 1_767_225_600  # 2026-01-01
NOON = DAY + 43_200
FROM_5_TO_4 = "".join(f"ALTER TABLE journal DROP COLUMN {name};" for name in ("cause", "fingerprint", "checks"))
KEYS_DAY = Counter("key", "k1", "tokens", "day", DAY, DAY + 86_400)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(DUMP)
    return path


def play(path: Path, scenario: Callable[[State], Awaitable[None]]) -> None:
    async def run() -> None:
        state = await open_sqlite(str(path))
        try:
            await scenario(state)
        finally:
            await state.close()

    asyncio.run(run())


def budgets(state: State) -> SqliteBudgets:
    assert isinstance(state.budgets, SqliteBudgets)
    return state.budgets


def test_all_that_was_there_is_there(old: Path) -> None:
    async def scenario(state: State) -> None:
        assert await state.keys.tenants() == [ACME, FREE]
        assert await state.keys.find("k1") == (KEY, ACME)
        row = await state.journal.read("settled")
        assert row is not None
        assert (row["input_tokens"], row["cost_nano"], row["tags"]) == (200, 400_000, None)
        entry = await state.answers.get("a", NOON)
        assert entry is not None
        assert (entry.tags, entry.vector) == (("acme",), b"\0\1")
        assert await state.keys.changes(10) == []

    play(old, scenario)
    play(old, scenario)  # opened again it is a file of today


def test_what_was_cached_is_bounded_followed_and_purged_like_all(old: Path) -> None:
    async def scenario(state: State) -> None:
        answers = state.answers
        assert await answers.count() == 1
        assert [key async for page in answers.vectors("p", NOON) for key, _ in page] == ["a"]
        cursor = (await answers.changes(None)).cursor
        await answers.used("a", NOON)
        assert await answers.purge("acme") == 1
        assert (await answers.changes(cursor)).removed == (("p", "a"),)
        assert await answers.count() == 0

    play(old, scenario)


def test_the_newest_of_what_was_cached_stay_where_the_bound_is_lower(old: Path) -> None:
    async def run() -> None:
        state = await open_sqlite(str(old), max_entries=1)
        await state.answers.put(Entry("new", "p", b"{}", NOON, NOON + 1))
        assert await state.answers.get("a", NOON) is None
        assert await state.answers.count() == 1
        await state.close()

    asyncio.run(run())


def test_what_was_spent_and_held_stays_counted(old: Path) -> None:
    async def scenario(state: State) -> None:
        assert await state.budgets.settle("settled", {"tokens": 1}) == []
        await state.budgets.settle("open", {})
        figures = [
            (balance.used, balance.held)
            for balance in await state.budgets.balances("acme", "k1", LIMITS, KEY.limits, NOON)
        ]
        assert figures == [(300, 0), (400_000, 0), (1, 0), (0, 0), (300, 0)]

    play(old, scenario)


def test_open_holds_are_still_held_on_the_windows_of_their_time(old: Path) -> None:
    async def scenario(state: State) -> None:
        assert await budgets(state).settled(["settled", "open", "by key alone", "unlimited"]) == {
            "settled": True,
            "open": False,
            "by key alone": False,
        }
        first, second = await budgets(state).pending()
        assert (first.request_id, first.tenant, first.spent["tokens"]) == ("open", "acme", 120)
        assert KEYS_DAY in first.counters
        assert len(first.counters) == 4
        assert (second.tenant, second.counters) == ("free", (KEYS_DAY._replace(name="k2"),))

    play(old, scenario)


def test_the_old_programs_dead_are_recovered_with_a_row_each(old: Path) -> None:
    async def scenario(state: State) -> None:
        assert await state.budgets.recover(lambda owner: False) == ["open", "by key alone"]
        row = await state.journal.read("open")
        assert row is not None
        assert (row["at"], row["tenant"], row["error"]) == (NOON, "acme", "process_died")
        other = await state.journal.read("by key alone")
        assert other is not None
        assert (other["at"], other["tenant"]) == (DAY, "free")
        (balance,) = await state.budgets.balances("acme", "k1", (), KEY.limits, NOON)
        assert (balance.used, balance.held) == (420, 0)

    play(old, scenario)


def test_a_file_is_old_or_new_never_between(old: Path) -> None:
    """The migration fails at its last table."""
    with closing(sqlite3.connect(old)) as db:
        db.execute("CREATE TABLE counters_1 (in_the_way)")
    with pytest.raises(StateUnavailable, match="counters_1"):
        play(old, lambda state: asyncio.sleep(0))
    with closing(sqlite3.connect(old)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 1 < VERSION
        assert "zone" not in [column[1] for column in db.execute("PRAGMA table_info(tenants)")]


def test_what_version_3_observed_is_kept_and_has_no_features(tmp_path: Path) -> None:
    path, seen = tmp_path / "state.db", Observation("faq", "a", 0.9, 0.99, True, 1.0)
    play(path, lambda state: state.feedback.observe(seen))
    with closing(sqlite3.connect(path)) as db:
        db.executescript("ALTER TABLE observations DROP COLUMN features;" + FROM_5_TO_4 + "PRAGMA user_version = 3")

    async def scenario(state: State) -> None:
        described = replace(seen, features=(1.0, 0.5))
        await state.feedback.observe(described)
        assert await state.feedback.observations("faq") == [seen, described]

    play(path, scenario)


def test_what_version_4_journalled_is_counted_and_was_never_judged(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    row = dict.fromkeys(COLUMNS) | {
        "request_id": "old",
        "at": NOON,
        "tenant": "acme",
        "output_tokens": 5,
        "stop": "complete",
    }
    play(path, lambda state: state.journal.write(row))
    with closing(sqlite3.connect(path)) as db:
        db.executescript(FROM_5_TO_4 + "PRAGMA user_version = 4")

    async def scenario(state: State) -> None:
        assert await state.journal.read("old") == row
        await state.journal.write(row | {"request_id": "new", "cause": "stop", "fingerprint": "vllm-1", "checks": ""})
        (used,) = await state.journal.usage([], NOON, NOON + 1)
        assert (used["requests"], used["output_tokens"]) == (2, 10)
        by_engine = await state.journal.usage(["fingerprint"], NOON, NOON + 1)
        assert [(group["fingerprint"], group["requests"]) for group in by_engine] == [(None, 1), ("vllm-1", 1)]
        (judged,) = await state.journal.judged(["fingerprint"], NOON, NOON + 1)
        assert (judged["fingerprint"], judged["checks"], judged["answers"]) == ("vllm-1", "", 1)

    play(path, scenario)
    play(path, lambda state: asyncio.sleep(0))  # opened again it is a file of today
