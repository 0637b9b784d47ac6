"""Holds and settlements, the same over every store: nothing is overspent, nothing leaks."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.state import Balance, Limit, OverLimit, State
from tests.contracts.conftest import Scenario
from tests.contracts.holds import DAY, MIDNIGHT, NOON, REQUESTS, TOKENS, figures, hold, standing

Play = Callable[[Scenario], None]


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


def test_all_limits_or_none(play: Play) -> None:
    async def scenario(state: State) -> None:
        tight = Limit("requests", "month", 0)
        with pytest.raises(OverLimit) as refused:
            await state.budgets.hold(hold("r", {"tokens": 5, "requests": 1}, TOKENS, REQUESTS, key_limits=(tight,)))
        assert refused.value.balance.limit == tight
        assert refused.value.balance.scope == "key"
        assert refused.value.asked == 1
        assert figures(await standing(state.budgets, TOKENS, REQUESTS, key_limits=(tight,))) == [(0, 0)] * 3
        assert await state.budgets.open_holds() == []

    play(scenario)


def test_a_limit_can_be_used_to_the_last_token_and_no_further(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.hold(hold("r1", {"tokens": 49}, TOKENS))
        with pytest.raises(OverLimit, match="2 tokens asked, 1 left of 50"):
            await state.budgets.hold(hold("r2", {"tokens": 2}, TOKENS))
        await state.budgets.hold(hold("r3", {"tokens": 1}, TOKENS))

    play(scenario)


def test_the_limit_that_refuses_longest_is_named(play: Play) -> None:
    async def scenario(state: State) -> None:
        minute, month = replace(TOKENS, window="minute"), replace(TOKENS, window="month")
        single = Limit("tokens", "request", 60)
        for asked, named in ((51, month), (61, single)):
            with pytest.raises(OverLimit) as refused:
                await state.budgets.hold(hold("r", {"tokens": asked}, TOKENS, month, single, minute))
            assert refused.value.balance.limit == named

    play(scenario)


def test_a_request_limit_bounds_each_request_and_counts_none(play: Play) -> None:
    async def scenario(state: State) -> None:
        single = Limit("tokens", "request", 10)
        for number in range(3):
            assert await state.budgets.hold(hold(f"r{number}", {"tokens": 10}, single)) == [
                Balance("tenant", single, 0, 0, 0.0)
            ]
        with pytest.raises(OverLimit, match="11 tokens asked, 10 left of 10"):
            await state.budgets.hold(hold("r", {"tokens": 11}, single))
        assert figures(await state.budgets.settle("r0", {"tokens": 10})) == [(0, 0)]

    play(scenario)


def test_a_limit_of_a_unit_not_asked_does_not_bind(play: Play) -> None:
    async def scenario(state: State) -> None:
        nothing = Limit("usd", "day", 0)
        assert figures(await state.budgets.hold(hold("r", {"tokens": 5}, TOKENS, nothing))) == [(0, 5), (0, 0)]
        assert figures(await state.budgets.settle("r", {"tokens": 5, "usd": 9})) == [(5, 0), (0, 0)]

    play(scenario)


def test_a_lowered_limit_refuses_and_remains_at_nothing_left(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.hold(hold("r1", {"tokens": 40}, TOKENS))
        lowered = replace(TOKENS, amount=10)
        with pytest.raises(OverLimit, match="0 left of 10"):
            await state.budgets.hold(hold("r2", {"tokens": 1}, lowered))

    play(scenario)


def test_two_limits_on_one_counter_count_once(play: Play) -> None:
    async def scenario(state: State) -> None:
        tighter = replace(TOKENS, amount=20)
        assert figures(await state.budgets.hold(hold("r1", {"tokens": 15}, TOKENS, tighter))) == [(0, 15)] * 2
        with pytest.raises(OverLimit, match="of 20"):
            await state.budgets.hold(hold("r2", {"tokens": 10}, TOKENS, tighter))
        assert figures(await state.budgets.settle("r1", {"tokens": 3})) == [(3, 0)] * 2

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


def test_amounts_are_exact_up_to_the_largest(play: Play) -> None:
    async def scenario(state: State) -> None:
        largest = Limit("usd", "month", 2**53 - 1)
        assert figures(await state.budgets.hold(hold("r1", {"usd": 2**53 - 2}, largest))) == [(0, 2**53 - 2)]
        assert figures(await state.budgets.settle("r1", {"usd": 2**53 - 3})) == [(2**53 - 3, 0)]
        with pytest.raises(OverLimit, match="3 usd asked, 2 left"):
            await state.budgets.hold(hold("r2", {"usd": 3}, largest))
        with pytest.raises(OverLimit):
            await state.budgets.hold(hold("r3", {"usd": 2**70}, largest))
        assert figures(await state.budgets.hold(hold("r4", {"usd": 2}, largest))) == [(2**53 - 3, 2)]

    play(scenario)


def test_names_with_separators_count_apart(play: Play) -> None:
    async def scenario(state: State) -> None:
        tricky = ["a", "a}:count:{b", "a:b", "{a}", "ä b", "%61"]
        for name in tricky:
            await state.budgets.hold(replace(hold(f"{name}:1", {"tokens": 50}, TOKENS), tenant=name, key=name))
        assert sorted(await state.budgets.open_holds()) == sorted(f"{name}:1" for name in tricky)

    play(scenario)


def test_balances_come_tenants_first_each_in_their_order(play: Play) -> None:
    async def scenario(state: State) -> None:
        month, single = Limit("tokens", "month", 70), Limit("tokens", "request", 60)
        await state.budgets.hold(hold("r", {"tokens": 9}, month, TOKENS, key_limits=(single, TOKENS)))
        found = await standing(state.budgets, single, month, TOKENS, key_limits=(TOKENS, REQUESTS))
        assert [(balance.scope, balance.limit, balance.held) for balance in found] == [
            ("tenant", single, 0),
            ("tenant", month, 9),
            ("tenant", TOKENS, 9),
            ("key", TOKENS, 9),
            ("key", REQUESTS, 0),
        ]

    play(scenario)


def test_amounts_count_from_the_first_hold_under_a_limit(play: Play) -> None:
    """A limit that is added later starts at 0; a limit that is raised forgets nothing."""

    async def scenario(state: State) -> None:
        await state.budgets.hold(hold("before", {"tokens": 40, "requests": 1}, TOKENS))
        added = Limit("requests", "day", 1)
        assert figures(await state.budgets.hold(hold("after", {"requests": 1}, TOKENS, added))) == [(0, 40), (0, 1)]
        raised = replace(TOKENS, amount=100)
        assert figures(await state.budgets.hold(hold("more", {"tokens": 60}, raised))) == [(0, 100)]

    play(scenario)


def test_a_hold_without_limits_is_held_all_the_same(play: Play) -> None:
    async def scenario(state: State) -> None:
        assert await state.budgets.hold(hold("r", {"tokens": 10**20})) == []
        assert await state.budgets.open_holds() == ["r"]
        assert await state.budgets.settle("r", {"tokens": 5}) == []
        assert await state.budgets.open_holds() == []

    play(scenario)


def test_a_refusal_says_when_the_amount_fits(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.hold(hold("r", {"tokens": 45}, TOKENS))
        with pytest.raises(OverLimit) as refused:
            await state.budgets.hold(hold("r2", {"tokens": 6}, TOKENS))
        assert refused.value.balance == Balance("tenant", TOKENS, 0, 45, MIDNIGHT + DAY)
        assert (refused.value.asked, refused.value.fits) == (6, MIDNIGHT + DAY)

    play(scenario)
