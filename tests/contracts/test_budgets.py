"""Holds and settlements, the same over every store: nothing is overspent, nothing leaks."""

import asyncio
from dataclasses import replace

import pytest

from gateway.state import Balance, OverLimit, State
from tests.contracts.conftest import Play
from tests.contracts.holds import DAY, MIDNIGHT, NOON, REQUESTS, TOKENS, figures, hold, standing


def test_a_hold_is_held_then_settled_and_the_rest_released(play: Play) -> None:
    async def scenario(state: State) -> None:
        held = await state.budgets.hold(hold("r", {"tokens": 40, "requests": 1}, TOKENS, key_limits=(REQUESTS,)))
        assert held == [
            Balance("tenant", TOKENS, 0, 40, MIDNIGHT + DAY),
            Balance("key", REQUESTS, 0, 1, NOON + 61),
        ]
        assert [balance.remaining for balance in held] == [10, 99]
        assert await state.budgets.open_holds() == ["r"]
        settled = await state.budgets.settle("r", {"tokens": 15, "requests": 1})
        assert figures(settled) == [(15, 0), (1, 0)]
        assert await state.budgets.open_holds() == []
        assert await standing(state.budgets, TOKENS, key_limits=[REQUESTS]) == settled

    play(scenario)


def test_200_at_once_on_a_budget_for_50(play: Play) -> None:
    async def scenario(state: State) -> None:
        async def ask(number: int) -> bool:
            try:
                await state.budgets.hold(hold(f"r{number}", {"tokens": 1}, TOKENS))
            except OverLimit:
                return False
            return True

        assert sum(await asyncio.gather(*map(ask, range(200)))) == 50
        assert figures(await standing(state.budgets, TOKENS)) == [(0, 50)]
        assert len(await state.budgets.open_holds()) == 50

    play(scenario)


def test_keys_and_tenants_count_apart(play: Play) -> None:
    async def scenario(state: State) -> None:
        wide = replace(TOKENS, amount=60)
        first = hold("r1", {"tokens": 40}, wide, key_limits=(TOKENS,))
        await state.budgets.hold(first)
        with pytest.raises(OverLimit) as refused:
            await state.budgets.hold(replace(first, request_id="r2"))
        assert (refused.value.balance.scope, refused.value.balance.limit) in {("tenant", wide), ("key", TOKENS)}
        other_key = replace(first, request_id="r3", key="k2", amounts={"tokens": 20})
        assert figures(await state.budgets.hold(other_key)) == [(0, 60), (0, 20)]
        await state.budgets.hold(replace(first, request_id="r4", tenant="another", key="k3"))

    play(scenario)


def test_holding_again_changes_nothing(play: Play) -> None:
    async def scenario(state: State) -> None:
        same = hold("r", {"tokens": 30}, TOKENS)
        assert await state.budgets.hold(same) == await state.budgets.hold(same)
        await state.budgets.settle("r", {"tokens": 7})
        assert figures(await state.budgets.hold(same)) == [(7, 0)]
        assert await state.budgets.open_holds() == []

    play(scenario)


def test_one_request_held_many_times_at_once_is_held_once(play: Play) -> None:
    async def scenario(state: State) -> None:
        same = hold("r", {"tokens": 30}, TOKENS)
        held = await asyncio.gather(*(state.budgets.hold(same) for _ in range(20)))
        assert {(balance.used, balance.held) for balances in held for balance in balances} == {(0, 30)}

    play(scenario)


def test_one_request_refused_many_times_at_once_is_refused_each_time(play: Play) -> None:
    async def scenario(state: State) -> None:
        same = hold("r", {"tokens": 51}, TOKENS)
        refused = await asyncio.gather(*(state.budgets.hold(same) for _ in range(20)), return_exceptions=True)
        assert {type(error) for error in refused} == {OverLimit}
        assert await state.budgets.settle("r", {"tokens": 1}) == []

    play(scenario)


def test_settling_again_changes_nothing(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.hold(hold("r", {"tokens": 30}, TOKENS))
        settled = await asyncio.gather(*(state.budgets.settle("r", {"tokens": 7}) for _ in range(10)))
        assert sorted(map(len, settled)) == [0] * 9 + [1]
        assert await state.budgets.settle("r", {"tokens": 20}) == []
        assert figures(await standing(state.budgets, TOKENS)) == [(7, 0)]

    play(scenario)


@pytest.mark.parametrize(("spent", "booked"), [(-5, 0), (0, 0), (30, 30), (31, 30), (10**12, 30)])
def test_no_count_of_a_backend_breaks_a_limit(play: Play, spent: int, booked: int) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.hold(hold("r", {"tokens": 30}, TOKENS))
        assert figures(await state.budgets.settle("r", {"tokens": spent})) == [(booked, 0)]

    play(scenario)


def test_names_with_separators_count_apart(play: Play) -> None:
    async def scenario(state: State) -> None:
        tricky = ["a", "a}:count:{b", "a:b", "{a}", "ä b", "%61"]
        for name in tricky:
            await state.budgets.hold(replace(hold(f"{name}:1", {"tokens": 50}, TOKENS), tenant=name, key=name))
        assert sorted(await state.budgets.open_holds()) == sorted(f"{name}:1" for name in tricky)

    play(scenario)


def test_a_hold_without_limits_is_held_all_the_same(play: Play) -> None:
    async def scenario(state: State) -> None:
        assert await state.budgets.hold(hold("r", {"tokens": 10**20})) == []
        assert await state.budgets.open_holds() == ["r"]
        assert await state.budgets.settle("r", {"tokens": 5}) == []
        assert await state.budgets.open_holds() == []

    play(scenario)
