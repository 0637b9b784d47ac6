"""The journal, the same over every store."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.state import COLUMNS, State
from tests.contracts.conftest import Play
from tests.contracts.places import Place


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
        "tags": '{"feature": "search"}',
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


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("UTC", {"1970-01-01": 1, "1970-01-02": 2, "1970-01-03": 1}),
        ("Asia/Tokyo", {"1970-01-01": 1, "1970-01-02": 2, "1970-01-03": 1}),
        ("America/New_York", {"1970-01-01": 2, "1970-01-02": 2}),
    ],
)
def test_a_day_of_usage_is_the_zones(play: Play, zone: str, days: dict[str, int]) -> None:
    """Rows at noon and midnight, UTC: midnight is 9:00 of that day in Tokyo, 19:00 of the day before in New York."""

    async def scenario(state: State) -> None:
        for number in range(4):
            await state.journal.write(row(number))
        found = await state.journal.usage(["day"], 0.0, 1e9, zone=zone)
        assert [(group["day"], group["requests"]) for group in found] == list(days.items())

    play(scenario)


def test_a_day_of_usage_follows_the_zones_clocks(play: Play) -> None:
    """2026-03-29 in Berlin has 23 hours: 23:00 of the 28th to 22:00 of the 29th in UTC."""
    begins = datetime(2026, 3, 28, 23, tzinfo=UTC).timestamp()

    async def scenario(state: State) -> None:
        for number, hours in enumerate((-0.001, 0, 22.999, 23)):
            await state.journal.write(row(number, at=begins + hours * 3600))
        found = await state.journal.usage(["day"], 0.0, 1e10, zone="Europe/Berlin")
        days = {"2026-03-28": 1, "2026-03-29": 2, "2026-03-30": 1}
        assert {group["day"]: group["requests"] for group in found} == days

    play(scenario)


TAGGED = (None, '{"feature": "search"}', '{"feature": "search", "team": "a"}', '{"feature": "chat"}', "{}")


def test_usage_by_tag_counts_each_request_once(play: Play) -> None:
    async def scenario(state: State) -> None:
        for number, tags in enumerate(TAGGED):
            await state.journal.write(row(number, tags=tags))
        by_all = await state.journal.usage(["tag"], 0.0, 1e9)
        assert {group["tag"]: group["input_tokens"] for group in by_all} == {
            None: 1 + 16,
            '{"feature": "chat"}': 8,
            '{"feature": "search"}': 2,
            '{"feature": "search", "team": "a"}': 4,
        }
        by_one = await state.journal.usage(["tag:feature", "tag:team"], 0.0, 1e9)
        assert [(group["tag:feature"], group["tag:team"], group["requests"]) for group in by_one] == [
            (None, None, 2),
            ("chat", None, 1),
            ("search", None, 1),
            ("search", "a", 1),
        ]

    play(scenario)


@pytest.mark.parametrize(
    "name", ["a.b", 'say "x"', "$[0]", "'; DROP TABLE journal; --", "back\\slash", "ü€😀", ":tag0", "x" * 64]
)
def test_a_tag_may_have_any_name(play: Play, name: str) -> None:
    async def scenario(state: State) -> None:
        await state.journal.write(row(1, tags=json.dumps({name: "yes"})))
        await state.journal.write(row(2, tags=json.dumps({"other": "no"}, ensure_ascii=False)))
        found = await state.journal.usage([f"tag:{name}", "tenant"], 0.0, 1e9)
        assert [(group[f"tag:{name}"], group["tenant"]) for group in found] == [(None, "zeta"), ("yes", "acme")]

    play(scenario)


@pytest.mark.parametrize("group", ["tag:", "tag:" + "x" * 65, "tags", "Tag:x", "at"])
def test_what_names_no_tag_is_no_group(play: Play, group: str) -> None:
    async def scenario(state: State) -> None:
        with pytest.raises(ValueError, match=r"cannot be grouped by .* with a name of 1 to 64 characters"):
            await state.journal.usage([group], 0.0, 1.0)

    play(scenario)


def test_usage_names_an_unknown_zone_and_too_many_groups(play: Play) -> None:
    async def scenario(state: State) -> None:
        with pytest.raises(ValueError, match="there is no time zone 'Mars/Olympus'"):
            await state.journal.usage(["day"], 0.0, 1.0, zone="Mars/Olympus")
        with pytest.raises(ValueError, match="by 16 things at once, 5000 were asked"):
            await state.journal.usage([f"tag:{number}" for number in range(5000)], 0.0, 1.0)

    play(scenario)


def test_a_group_asked_twice_is_one(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.journal.write(row(1))
        (group,) = await state.journal.usage(["tenant", "tenant"], 0.0, 1e9)
        assert list(group)[:2] == ["tenant", "requests"]

    play(scenario)


def test_usage_names_an_unknown_group(play: Play) -> None:
    async def scenario(state: State) -> None:
        with pytest.raises(ValueError, match="cannot be grouped by detail; allowed are day, tenant"):
            await state.journal.usage(["day", "detail"], 0.0, 1.0)

    play(scenario)


def judged(number: int, checks: str | None, tokens: int | None, version: str = "v1", **columns: Any) -> dict[str, Any]:
    """A row of one quarter of an hour each."""
    at = 900.0 * number + 1
    return row(number, checks=checks, output_tokens=tokens, prompt="p", prompt_version=version, at=at, **columns)


def test_judged_answers_are_counted_by_what_was_found(play: Play) -> None:
    """In quarters that are whole, and in ones that the span cuts."""

    async def scenario(state: State) -> None:
        for written in (
            judged(1, "", 10), judged(2, "", 12), judged(3, "invalid truncated", 100), judged(4, "", None, "v2"),
            judged(5, None, 7, "v2"), judged(6, "", 10, "v2", tenant="other"), judged(7, "", 99),
        ):  # fmt: skip
            await state.journal.write(written)
        found = await state.journal.judged(["prompt", "prompt_version"], 900.0, 7 * 900.0)
        assert [(one["prompt_version"], one["checks"], one["answers"], one["output_tokens"]) for one in found] == [
            ("v1", "", 2, 22),
            ("v1", "invalid truncated", 1, 100),
            ("v2", "", 2, 10),
        ]
        assert [one["lengths"] for one in found] == [{10: 1, 12: 1}, {36: 1}, {0: 1, 10: 1}]
        assert [one["first"] // 900 for one in found] == [1, 3, 4]
        (other,) = await state.journal.judged([], 0.0, 1e9, "other")
        assert other == {"checks": "", "answers": 1, "first": other["first"], "output_tokens": 10, "lengths": {10: 1}}
        for since, until, answers in ((900.0, 2_000.0, 2), (901.0, 902.0, 1), (902.0, 903.0, 0)):
            assert sum(one["answers"] for one in await state.journal.judged([], since, until)) == answers
        with pytest.raises(ValueError, match="cannot be grouped by colour"):
            await state.journal.judged(["colour"], 0.0, 1.0)

    play(scenario)


def test_what_was_written_is_there_after_reopening(shared_place: Place) -> None:
    async def fill() -> None:
        state = await shared_place.open()
        await state.journal.write(row(1))
        await state.close()

    async def look() -> None:
        state = await shared_place.open()
        assert await state.journal.read("r01") == row(1)
        await state.close()

    asyncio.run(fill())
    asyncio.run(look())
