"""What becomes of holds whose process died or whose caller was cancelled, the same over every store."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from gateway.state import Amounts, Balance, Budgets, Hold, Limit, State
from tests.contracts.conftest import Scenario

Play = Callable[[Scenario], None]

NOW = time.time()
TOKENS = Limit("tokens", "day", 50)
REQUESTS = Limit("requests", "minute", 100)


def hold(request_id: str, amounts: Amounts, *limits: Limit) -> Hold:
    return Hold(request_id, "acme", "k1", "owner", amounts, limits, (), NOW)


async def standing(budgets: Budgets, *limits: Limit) -> list[Balance]:
    return await budgets.balances("acme", "k1", limits, (), NOW)


def figures(balances: list[Balance]) -> list[tuple[int, int]]:
    return [(balance.used, balance.held) for balance in balances]


def test_recovery_books_the_last_checkpoint_of_the_dead_and_leaves_the_living(play: Play) -> None:
    async def scenario(state: State) -> None:
        asked: Amounts = {"tokens": 10, "requests": 1}
        for number, owner in enumerate(("dead", "dead", "alive", "dead")):
            await state.budgets.hold(replace(hold(f"r{number}", asked, TOKENS, REQUESTS), owner=owner))
        await state.budgets.checkpoint("r0", {"tokens": 3, "requests": 1})
        await state.budgets.checkpoint("r0", {"tokens": 6})
        await state.budgets.settle("r3", {"tokens": 1})
        assert sorted(await state.budgets.recover("alive".__eq__)) == ["r0", "r1"]
        assert await state.budgets.open_holds() == ["r2"]
        assert figures(await standing(state.budgets, TOKENS, REQUESTS)) == [(7, 10), (1, 1)]
        assert await state.budgets.recover("alive".__eq__) == []

    play(scenario)


def test_a_checkpoint_after_the_settlement_is_too_late(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.hold(hold("r", {"tokens": 10}, TOKENS))
        await state.budgets.settle("r", {"tokens": 2})
        await state.budgets.checkpoint("r", {"tokens": 9})
        await state.budgets.recover(lambda owner: False)
        assert figures(await standing(state.budgets, TOKENS)) == [(2, 0)]

    play(scenario)


@pytest.mark.parametrize("rounds", [0, 1, 2, 5])
def test_a_cancelled_hold_is_whole_or_absent_and_settles_like_any_other(play: Play, rounds: int) -> None:
    """Cancelled after so many turns of the loop: before, while and after the store has it."""

    async def scenario(state: State) -> None:
        for number in range(20):
            task = asyncio.create_task(state.budgets.hold(hold(f"r{number}", {"tokens": 1}, TOKENS, REQUESTS)))
            for _ in range(rounds):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await state.budgets.settle(f"r{number}", {})
        assert await state.budgets.open_holds() == []
        assert figures(await standing(state.budgets, TOKENS, REQUESTS)) == [(0, 0), (0, 0)]

    play(scenario)


def test_a_cancelled_settlement_still_happens(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.hold(hold("r", {"tokens": 10}, TOKENS))
        task = asyncio.create_task(state.budgets.settle("r", {"tokens": 4}))
        await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await state.budgets.settle("r", {"tokens": 9})
        assert figures(await standing(state.budgets, TOKENS)) == [(4, 0)]

    play(scenario)


def test_an_unknown_request_is_nobodys_business(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.checkpoint("r", {"tokens": 7})
        assert await state.budgets.settle("r", {"tokens": 7}) == []
        assert await state.budgets.open_holds() == []
        assert await state.budgets.recover(lambda owner: False) == []

    play(scenario)
