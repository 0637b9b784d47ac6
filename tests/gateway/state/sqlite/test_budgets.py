import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from gateway.state import Hold, Limit
from gateway.state.counters import KEEP
from gateway.state.sqlite.budgets import SqliteBudgets
from gateway.state.sqlite.database import Database

TOKENS = Limit("tokens", "day", 50)
LONG_AGO = time.time() - 30 * 86_400


def play(scenario: Callable[[SqliteBudgets], Awaitable[None]]) -> None:
    async def run() -> None:
        database = await Database.open(":memory:")
        await scenario(SqliteBudgets(database))
        await database.close()

    asyncio.run(run())


def hold(at: float) -> Hold:
    return Hold("r", "acme", "k1", "owner", {"tokens": 10}, (TOKENS,), (), at)


async def figures(store: SqliteBudgets, at: float) -> tuple[int, int]:
    (balance,) = await store.balances("acme", "k1", [TOKENS], [], at)
    return balance.used, balance.held


def test_a_past_count_is_forgotten_once_nothing_is_held_on_it() -> None:
    async def scenario(store: SqliteBudgets) -> None:
        await store.hold(hold(LONG_AGO))
        await store.recover(lambda owner: True)
        assert await figures(store, LONG_AGO) == (0, 10)
        await store.settle("r", {"tokens": 4})
        assert await figures(store, LONG_AGO) == (4, 0)
        await store.recover(lambda owner: True)
        assert await figures(store, LONG_AGO) == (0, 0)

    play(scenario)


@pytest.mark.parametrize(("keep", "held"), [(KEEP, 0), (-1, 10)])
def test_a_settled_hold_is_known_until_it_is_forgotten(monkeypatch: pytest.MonkeyPatch, keep: int, held: int) -> None:
    monkeypatch.setattr("gateway.state.sqlite.budgets.KEEP", keep)
    now = time.time()

    async def scenario(store: SqliteBudgets) -> None:
        await store.hold(hold(now))
        await store.settle("r", {"tokens": 4})
        await store.recover(lambda owner: True)
        await store.hold(hold(now))
        assert await figures(store, now) == (4, held)

    play(scenario)
