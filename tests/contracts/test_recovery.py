"""Settlements with their row, and what becomes of holds whose process died or whose caller was cancelled."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from gateway.state import COLUMNS, RECOVERED, Amounts, State
from tests.contracts.conftest import Play
from tests.contracts.holds import NOON, REQUESTS, TOKENS, figures, hold, row, rows, standing


def test_a_settlement_writes_its_row(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.hold(hold("r", {"tokens": 10}, TOKENS))
        assert await state.journal.read("r") is None
        await state.budgets.settle("r", {"tokens": 4}, row("r", status=200, input_tokens=4))
        assert await state.journal.read("r") == row("r", status=200, input_tokens=4)

    play(scenario)


def test_settled_again_nothing_changes(play: Play) -> None:
    async def scenario(state: State) -> None:
        for request_id, first in (("with a row", row("with a row", status=200)), ("without", None)):
            await state.budgets.hold(hold(request_id, {"tokens": 10}, TOKENS))
            await state.budgets.settle(request_id, {"tokens": 4}, first)
            before = await standing(state.budgets, TOKENS)
            assert await state.budgets.settle(request_id, {"tokens": 9}, row(request_id, status=500)) == []
            assert await standing(state.budgets, TOKENS) == before
            assert await state.journal.read(request_id) == first

    play(scenario)


def test_of_an_unknown_hold_only_the_row_is_written(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.checkpoint("r", {"tokens": 7}, {"input_tokens": 7})
        assert await state.budgets.settle("r", {"tokens": 7}) == []
        assert await rows(state) == 0
        assert await state.budgets.settle("r2", {"tokens": 7}, row("r2")) == []
        assert await state.journal.read("r2") == row("r2")
        assert await state.budgets.open_holds() == []
        assert await state.budgets.recover(lambda owner: False) == []

    play(scenario)


def test_a_row_that_is_none_settles_nothing(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.hold(hold("r", {"tokens": 10}, TOKENS))
        with pytest.raises(ValueError, match=r"lacks .*'at'"):
            await state.budgets.settle("r", {"tokens": 4}, {"request_id": "r"})
        assert figures(await standing(state.budgets, TOKENS)) == [(0, 10)]
        assert await state.budgets.open_holds() == ["r"]

    play(scenario)


def test_what_is_no_column_is_refused_before_anything_is_held(play: Play) -> None:
    """Recovery could make no row of it, and would fail for ever."""

    async def scenario(state: State) -> None:
        with pytest.raises(ValueError, match=r"no \['modle'\]"):
            await state.budgets.hold(replace(hold("r", {"tokens": 10}, TOKENS), draft={"modle": "small"}))
        await state.budgets.settle("r", {})
        assert figures(await standing(state.budgets, TOKENS)) == [(0, 0)]
        await state.budgets.hold(hold("r2", {"tokens": 10}, TOKENS))
        with pytest.raises(ValueError, match=r"no \['modle'\]"):
            await state.budgets.checkpoint("r2", {"tokens": 5}, {"modle": "small"})
        assert await state.budgets.recover(lambda owner: False) == ["r2"]

    play(scenario)


def test_recovery_books_the_last_checkpoint_of_the_dead_and_leaves_the_living(play: Play) -> None:
    async def scenario(state: State) -> None:
        asked: Amounts = {"tokens": 10, "requests": 1}
        for number, owner in enumerate(("dead", "dead", "alive", "dead")):
            await state.budgets.hold(replace(hold(f"r{number}", asked, TOKENS, REQUESTS), owner=owner))
        await state.budgets.checkpoint("r0", {"tokens": 3, "requests": 1})
        await state.budgets.checkpoint("r0", {"tokens": 6})
        await state.budgets.settle("r3", {"tokens": 1}, row("r3"))
        assert sorted(await state.budgets.recover("alive".__eq__)) == ["r0", "r1"]
        assert await state.budgets.open_holds() == ["r2"]
        assert figures(await standing(state.budgets, TOKENS, REQUESTS)) == [(7, 10), (1, 1)]
        assert await state.budgets.recover("alive".__eq__) == []
        assert await rows(state) == 3

    play(scenario)


def test_the_row_of_the_dead_is_its_draft_its_checkpoint_and_how_it_ended(play: Play) -> None:
    draft = {"request_id": "r", "at": NOON + 1, "tenant": "acme", "key": "k1", "model": "small", "tags": '{"a": "b"}'}
    first = {"backend": "slow", "input_tokens": 20, "output_tokens": 1, "token_source": "engine"}
    last = {"output_tokens": 5, "cost_nano": 2**53 - 1, "backend": None, "model": None}

    async def scenario(state: State) -> None:
        await state.budgets.hold(replace(hold("r", {"tokens": 40}, TOKENS), draft=draft))
        await state.budgets.checkpoint("r", {"tokens": 21}, first)
        await state.budgets.checkpoint("r", {"tokens": 25}, last)
        await state.budgets.checkpoint("r", {"tokens": 26})
        assert await state.budgets.recover(lambda owner: False) == ["r"]
        assert await state.journal.read("r") == dict.fromkeys(COLUMNS) | draft | first | last | dict(RECOVERED)
        assert figures(await standing(state.budgets, TOKENS)) == [(26, 0)]
        await state.budgets.settle("r", {"tokens": 40}, row("r", status=200))  # it was not dead after all: too late
        assert figures(await standing(state.budgets, TOKENS)) == [(26, 0)]
        found = await state.journal.read("r")
        assert found is not None
        assert found["error"] == "process_died"

    play(scenario)


def test_a_hold_may_bring_its_first_checkpoint_along(play: Play) -> None:
    draft = {"request_id": "r", "at": NOON, "tenant": "acme", "key": "k1", "input_tokens": 20}

    async def scenario(state: State) -> None:
        await state.budgets.hold(replace(hold("r", {"tokens": 40}, TOKENS), draft=draft, spent={"tokens": 20}))
        await state.budgets.hold(replace(hold("r2", {"tokens": 10}, TOKENS), spent={"tokens": 2}))
        await state.budgets.checkpoint("r2", {"tokens": 7})
        assert figures(await standing(state.budgets, TOKENS)) == [(0, 50)]
        assert sorted(await state.budgets.recover(lambda owner: False)) == ["r", "r2"]
        assert figures(await standing(state.budgets, TOKENS)) == [(27, 0)]
        assert await state.journal.read("r") == dict.fromkeys(COLUMNS) | draft | dict(RECOVERED)

    play(scenario)


def test_what_was_never_sent_is_released_and_its_row_has_no_tokens(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.hold(hold("r", {"tokens": 40}, TOKENS))
        await state.budgets.recover(lambda owner: False)
        assert figures(await standing(state.budgets, TOKENS)) == [(0, 0)]
        assert await state.journal.read("r") == row("r", key="k1") | dict(RECOVERED)

    play(scenario)


def test_the_owners_asked_about_are_those_that_hold(play: Play) -> None:
    async def scenario(state: State) -> None:
        for number, owner in enumerate(("a/1", "ü b", "a/1")):
            await state.budgets.hold(replace(hold(f"r{number}", {"tokens": 1}, TOKENS), owner=owner))
        asked: set[str] = set()

        def alive(owner: str) -> bool:
            asked.add(owner)
            return True

        assert await state.budgets.recover(alive) == []
        assert asked == {"a/1", "ü b"}

    play(scenario)


def test_a_checkpoint_after_the_settlement_is_too_late(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.hold(hold("r", {"tokens": 10}, TOKENS))
        await state.budgets.settle("r", {"tokens": 2}, row("r", status=200))
        await state.budgets.checkpoint("r", {"tokens": 9}, {"input_tokens": 9})
        await state.budgets.recover(lambda owner: False)
        assert figures(await standing(state.budgets, TOKENS)) == [(2, 0)]
        assert await state.journal.read("r") == row("r", status=200)

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
            await state.budgets.settle(f"r{number}", {}, row(f"r{number}"))
        assert await state.budgets.open_holds() == []
        assert figures(await standing(state.budgets, TOKENS, REQUESTS)) == [(0, 0), (0, 0)]
        assert await rows(state) == 20

    play(scenario)


def test_a_cancelled_settlement_still_happens(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.hold(hold("r", {"tokens": 10}, TOKENS))
        task = asyncio.create_task(state.budgets.settle("r", {"tokens": 4}, row("r", status=200)))
        await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await state.budgets.settle("r", {"tokens": 9}, row("r", status=500))
        assert figures(await standing(state.budgets, TOKENS)) == [(4, 0)]
        assert await state.journal.read("r") == row("r", status=200)

    play(scenario)
