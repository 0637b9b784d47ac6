"""The journal, the same over every store."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.state import COLUMNS, State
from gateway.state.open import open_state
from tests.contracts.conftest import Scenario

Play = Callable[[Scenario], None]


def row(number: int, **columns: Any) -> dict[str, Any]:
    """A journal row; two a day from 1970-01-01 noon, prices on every third."""
    return dict.fromkeys(COLUMNS) | {
        "request_id": f"r{number:02}",
        "at": 43_200.0 * (number + 1),
        "tenant": "acme" if number % 2 else "zeta",
        "key": "k",
        "model": "small",
        "prompt": "answer" if number < 5 else None,
        "status": 200,
        "input_tokens": 2**number,
        "output_tokens": number,
        "cached_tokens": 1,
        "cost_nano": 10**12 + number if number % 3 == 0 else None,
        "duration_ms": 1.5,
        "detail": '{"stages": []}',
        **columns,
    }


def test_a_row_is_written_once(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.journal.write(row(1))
        await state.journal.write(row(1, input_tokens=7, at=5.0))
        assert await state.journal.read("r01") == row(1)
        assert await state.journal.read("r02") is None
        assert len(await state.journal.latest(10)) == 1
        assert await state.journal.usage([], 0.0, 10.0) == []

    play(scenario)


def test_a_row_has_exactly_the_columns(play: Play) -> None:
    async def scenario(state: State) -> None:
        with pytest.raises(ValueError, match=r"lacks \['at'\].*unknown \['extra'\]"):
            await state.journal.write({name: value for name, value in row(1, extra=1).items() if name != "at"})

    play(scenario)


def test_the_latest_rows_come_newest_first_without_detail(play: Play) -> None:
    async def scenario(state: State) -> None:
        for number in (3, 1, 2, 0):
            await state.journal.write(row(number))
        latest = await state.journal.latest(3)
        assert [found["request_id"] for found in latest] == ["r03", "r02", "r01"]
        assert latest[0] == {name: value for name, value in row(3).items() if name != "detail"}
        assert [found["request_id"] for found in await state.journal.latest(9, "acme")] == ["r03", "r01"]
        assert await state.journal.latest(0) == []

    play(scenario)


SUMMED = ("input_tokens", "output_tokens", "cached_tokens")


@pytest.mark.parametrize(
    "by", [(), ("tenant",), ("day",), ("day", "tenant", "key", "model"), ("prompt", "prompt_version")]
)
def test_usage_is_the_sum_of_the_rows(play: Play, by: tuple[str, ...]) -> None:
    rows = [row(number) for number in range(12)]

    async def scenario(state: State) -> None:
        for written in rows:
            await state.journal.write(written)
        usage = await state.journal.usage(by, 0.0, 1e9)
        assert sum(group["requests"] for group in usage) == len(rows)
        for column in SUMMED:
            assert sum(group[column] for group in usage) == sum(written[column] for written in rows)
        assert sum(group["cost_nano"] or 0 for group in usage) == sum(written["cost_nano"] or 0 for written in rows)
        assert all(tuple(group)[: len(by)] == by for group in usage)

    play(scenario)


def test_usage_is_ordered_by_the_group_and_knows_no_price_from_zero(play: Play) -> None:
    async def scenario(state: State) -> None:
        for number in (4, 5, 6):
            await state.journal.write(row(number, cost_nano=0 if number == 6 else None))
        assert await state.journal.usage(["prompt", "day"], 0.0, 1e9) == [
            {"prompt": None, "day": "1970-01-04", "requests": 2, "input_tokens": 96, "output_tokens": 11}
            | {"cached_tokens": 2, "cost_nano": 0},
            {"prompt": "answer", "day": "1970-01-03", "requests": 1, "input_tokens": 16, "output_tokens": 4}
            | {"cached_tokens": 1, "cost_nano": None},
        ]

    play(scenario)


def test_usage_takes_since_and_leaves_until(play: Play) -> None:
    async def scenario(state: State) -> None:
        for number in range(6):
            await state.journal.write(row(number))
        inside = await state.journal.usage([], row(1)["at"], row(4)["at"])
        assert inside[0]["input_tokens"] == 2 + 4 + 8
        assert (await state.journal.usage([], 0.0, 1e9, "acme"))[0]["input_tokens"] == 2 + 8 + 32
        assert await state.journal.usage([], 0.0, 1.0) == []

    play(scenario)


def test_usage_names_an_unknown_group(play: Play) -> None:
    async def scenario(state: State) -> None:
        with pytest.raises(ValueError, match="cannot be grouped by detail; allowed are day, tenant"):
            await state.journal.usage(["day", "detail"], 0.0, 1.0)

    play(scenario)


def test_what_was_written_is_there_after_reopening(shared_url: str) -> None:
    async def fill() -> None:
        state = await open_state(shared_url)
        await state.journal.write(row(1))
        await state.close()

    async def look() -> None:
        state = await open_state(shared_url)
        assert await state.journal.read("r01") == row(1)
        await state.close()

    asyncio.run(fill())
    asyncio.run(look())
