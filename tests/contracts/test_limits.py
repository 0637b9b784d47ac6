"""What a limit means, the same over every store: which one refuses, what each counts, what is told of it."""

from dataclasses import replace

import pytest

from gateway.state import Balance, Limit, OverLimit, State
from tests.contracts.conftest import Play
from tests.contracts.holds import DAY, MIDNIGHT, REQUESTS, TOKENS, figures, hold, standing


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


def test_a_refusal_says_when_the_amount_fits(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.hold(hold("r", {"tokens": 45}, TOKENS))
        with pytest.raises(OverLimit) as refused:
            await state.budgets.hold(hold("r2", {"tokens": 6}, TOKENS))
        assert refused.value.balance == Balance("tenant", TOKENS, 0, 45, MIDNIGHT + DAY)
        assert (refused.value.asked, refused.value.fits) == (6, MIDNIGHT + DAY)

    play(scenario)
