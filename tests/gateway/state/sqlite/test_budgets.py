"""What SQLite's budgets do beside the protocol: forget, and be the record that shared counters are rebuilt from."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace

from gateway.state import COLUMNS, Amounts, Clock, Hold, Limit
from gateway.state.counters import KEEP, Counter
from gateway.state.sqlite.budgets import SqliteBudgets
from gateway.state.sqlite.counters import Total
from gateway.state.sqlite.database import Database
from gateway.state.sqlite.journal import SqliteJournal
from gateway.state.sqlite.pending import Pending

DAY = 86_400
START = 20_000 * DAY  # midnight
TOKENS = Limit("tokens", "day", 50)
REQUESTS = Limit("requests", "minute", 3)
TENANTS_DAY = Counter("tenant", "acme", "tokens", "day", START, START + DAY)
KEYS_DAY = TENANTS_DAY._replace(scope="key", name="k1")


class Time:
    """The state's clock, moved by the test."""

    now = START + DAY / 2


class Store:
    """Budgets and journal of one file in memory."""

    def __init__(self, database: Database) -> None:
        self.time, self.database = Time(), database
        clock = Clock(0.0, lambda: self.time.now, lambda: self.time.now)
        self.budgets, self.journal = SqliteBudgets(database, clock), SqliteJournal(database)

    def hold(self, request_id: str = "r") -> Hold:
        amounts: Amounts = {"tokens": 10, "requests": 1}
        return Hold(request_id, "acme", "k1", "owner", amounts, (TOKENS, REQUESTS), (TOKENS,), self.time.now)

    async def counters(self) -> list[tuple[str, int, int]]:
        def read(db: sqlite3.Connection) -> list[tuple[str, int, int]]:
            return [tuple(row) for row in db.execute('SELECT scope || "window", used, held FROM counters ORDER BY 1')]

        return await self.database.read(read)

    async def recover(self) -> list[str]:
        return await self.budgets.recover(lambda owner: True)


def play(scenario: Callable[[Store], Awaitable[None]]) -> None:
    async def run() -> None:
        database = await Database.open(":memory:")
        await scenario(Store(database))
        await database.close()

    asyncio.run(run())


def row(request_id: str) -> dict[str, object]:
    return dict.fromkeys(COLUMNS) | {"request_id": request_id, "at": START, "tenant": "acme"}


def test_a_count_is_forgotten_long_after_its_window_once_nothing_is_held_on_it() -> None:
    async def scenario(store: Store) -> None:
        await store.budgets.hold(store.hold())
        store.time.now += KEEP + DAY
        await store.recover()
        assert await store.counters() == [("keyday", 0, 10), ("tenantday", 0, 10), ("tenantminute", 0, 1)]
        await store.budgets.settle("r", {"tokens": 4, "requests": 1})
        assert await store.counters() == [("keyday", 4, 0), ("tenantday", 4, 0), ("tenantminute", 1, 0)]
        await store.recover()
        assert await store.counters() == []

    play(scenario)


def test_a_day_stays_for_a_week_and_a_second_for_a_minute() -> None:
    async def scenario(store: Store) -> None:
        await store.budgets.hold(store.hold())
        await store.budgets.settle("r", {"tokens": 4, "requests": 1})
        store.time.now += 61 + 59
        await store.recover()
        assert len(await store.counters()) == 3
        store.time.now += 3
        await store.recover()
        assert await store.counters() == [("keyday", 4, 0), ("tenantday", 4, 0)]
        store.time.now = START + DAY + KEEP - 1
        await store.recover()
        assert len(await store.counters()) == 2
        store.time.now += 2
        await store.recover()
        assert await store.counters() == []

    play(scenario)


def test_a_settled_request_is_known_while_its_row_is() -> None:
    async def scenario(store: Store) -> None:
        await store.budgets.hold(store.hold())
        await store.budgets.settle("r", {"tokens": 4}, row("r"))
        store.time.now += KEEP + DAY
        await store.recover()
        await store.budgets.hold(store.hold())
        assert await store.budgets.open_holds() == []

    play(scenario)


def test_one_settled_without_a_row_is_known_for_a_week() -> None:
    async def scenario(store: Store) -> None:
        await store.budgets.hold(store.hold())
        await store.budgets.settle("r", {"tokens": 4})
        store.time.now += KEEP
        await store.recover()
        await store.budgets.hold(store.hold())
        assert await store.budgets.open_holds() == []
        store.time.now += 1
        await store.recover()
        await store.budgets.hold(store.hold())
        assert await store.budgets.open_holds() == ["r"]

    play(scenario)


def test_a_hold_recorded_is_not_judged_and_counts_on_the_counters_given() -> None:
    async def scenario(store: Store) -> None:
        large = replace(store.hold(), amounts={"tokens": 1000}, draft={"model": "small"})
        for _ in range(2):
            await store.budgets.record(large, [TENANTS_DAY])
        await store.budgets.checkpoint("r", {"tokens": 7}, {"input_tokens": 7})
        assert await store.budgets.totals("acme") == [Total(TENANTS_DAY, 0, 1000)]
        known = {"request_id": "r", "at": store.time.now, "tenant": "acme", "key": "k1", "model": "small"}
        assert await store.budgets.pending("acme") == [
            Pending("r", "acme", "owner", {"tokens": 1000}, (TENANTS_DAY,), known, {"tokens": 7}, {"input_tokens": 7})
        ]
        assert await store.budgets.pending() == await store.budgets.pending("acme")
        assert await store.budgets.pending("other") == []
        await store.budgets.settle("r", {"tokens": 300}, row("r"))
        assert await store.budgets.totals("acme") == [Total(TENANTS_DAY, 300, 0)]
        await store.budgets.record(large, [TENANTS_DAY])
        assert await store.budgets.totals("acme") == [Total(TENANTS_DAY, 300, 0)]

    play(scenario)


def test_totals_are_those_of_a_tenant_and_its_keys_whose_windows_last() -> None:
    async def scenario(store: Store) -> None:
        await store.budgets.hold(store.hold("old"))
        store.time.now += DAY
        await store.budgets.hold(store.hold("new"))
        await store.budgets.hold(replace(store.hold("strange"), tenant="other", key="k2"))
        start, end, second = START + DAY, START + 2 * DAY, int(store.time.now)
        assert set(await store.budgets.totals("acme")) == {
            Total(TENANTS_DAY._replace(start=start, end=end), 0, 10),
            Total(KEYS_DAY._replace(start=start, end=end), 0, 10),
            Total(Counter("tenant", "acme", "requests", "minute", second, second + 61), 0, 1),
        }

    play(scenario)


def test_booked_settles_and_tells_of_the_counters_that_were_ever_moved() -> None:
    async def scenario(store: Store) -> None:
        await store.budgets.hold(store.hold())
        strange = KEYS_DAY._replace(name="k2")
        settled, totals = await store.budgets.booked("r", {"tokens": 4}, None, [strange, KEYS_DAY])
        assert [balance.used for balance in settled if balance.limit.unit == "tokens"] == [4, 4]
        assert totals == [Total(KEYS_DAY, 4, 0)]
        assert await store.budgets.booked("r", {"tokens": 4}, None, [KEYS_DAY]) == ([], totals)

    play(scenario)


def test_settled_tells_of_the_known_only() -> None:
    async def scenario(store: Store) -> None:
        for request_id in ("with a row", "without", "open"):
            await store.budgets.hold(store.hold(request_id))
        await store.budgets.settle("with a row", {}, row("with a row"))
        await store.budgets.settle("without", {})
        assert await store.budgets.settled(["with a row", "without", "open", "unknown"]) == {
            "with a row": True,
            "without": True,
            "open": False,
        }

    play(scenario)


def test_recovery_leaves_to_others_what_they_settled_meanwhile() -> None:
    """Between its look at the open holds and its settlement, another worker's recovery comes first."""

    async def scenario(store: Store) -> None:
        await store.budgets.hold(store.hold())
        both = await asyncio.gather(*(store.budgets.recover(lambda owner: False) for _ in range(2)))
        assert sorted(both) == [[], ["r"]]
        assert len(await store.journal.latest(9)) == 1

    play(scenario)
