"""Days of a zone, dollars, cells that no spreadsheet runs."""

import asyncio
import csv
import io
from datetime import date
from typing import Any

import pytest

from gateway.state import Balance, Limit
from gateway.state.open import open_state
from gateway.usage import SUMS, Period, day_of, groups, period, spent, standing, to_csv
from tests.gateway.cli.journal import record

NOVEMBER = 1_793_491_200  # 2026-11-01T00:00:00Z
HOUR = 3600


def test_a_period_begins_and_ends_at_its_zones_midnights() -> None:
    day = date(2026, 11, 1)
    assert Period(day, day).bounds == (NOVEMBER, NOVEMBER + 24 * HOUR)
    assert Period(day, day, "Europe/Berlin").bounds == (NOVEMBER - HOUR, NOVEMBER + 23 * HOUR)
    assert Period(day, date(2026, 11, 30)).bounds == (NOVEMBER, NOVEMBER + 30 * 24 * HOUR)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 7, 1), 24)])
def test_a_day_is_as_long_as_its_zones_clocks_make_it(day: date, hours: int) -> None:
    start, end = Period(day, day, "Europe/Berlin").bounds
    assert end - start == hours * HOUR


def test_without_days_the_last_thirty_are_meant_as_the_zone_counts_them() -> None:
    late = NOVEMBER - HOUR / 2  # still October in UTC, November in Berlin
    assert period(None, None, "UTC", late) == Period(date(2026, 10, 2), date(2026, 10, 31))
    berlin = period(None, None, "Europe/Berlin", late)
    assert berlin == Period(date(2026, 10, 3), date(2026, 11, 1), "Europe/Berlin")
    assert period(None, date(2020, 1, 30), "UTC", late).first == date(2020, 1, 1)
    assert period(date(2026, 1, 1), None, "UTC", late) == Period(date(2026, 1, 1), date(2026, 10, 31))
    assert period(None, date(1970, 1, 5), "UTC", late).first == date(1970, 1, 1)


def test_what_cannot_be_a_period_is_refused() -> None:
    with pytest.raises(ValueError, match="2026-11-02, lies after the last, 2026-11-01"):
        Period(date(2026, 11, 2), date(2026, 11, 1))
    with pytest.raises(ValueError, match="no time zone"):
        period(None, None, "Mars/Olympus", NOVEMBER)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30", "1969-12-31", "0001-01-01", "9999-12-31", "1e9"])
def test_a_day_is_an_iso_date(text: str) -> None:
    assert day_of("2026-11-01") == date(2026, 11, 1)
    with pytest.raises(ValueError, match="ISO date"):
        day_of(text)


def test_the_whole_range_of_days_has_bounds() -> None:
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Niue"):
        start, end = Period(day_of("1970-01-01"), day_of("9998-12-31"), zone).bounds
        assert start < end


def test_groups_are_split_once_each() -> None:
    assert groups("day, tag:feature ,day") == ("day", "tag:feature")


def test_what_was_spent_has_the_groups_and_the_sums_in_dollars() -> None:
    async def run() -> None:
        state = await open_state("sqlite://:memory:")
        night = NOVEMBER - HOUR / 2
        for one in (record("a", at=night), record("b", at=night + HOUR), record("c", at=night, cost_nano=None)):
            await state.journal.write(one.row())
        november = Period(date(2026, 11, 1), date(2026, 11, 1), "Europe/Berlin")
        (row,) = await spent(state.journal, ("day", "model"), november)
        assert row == {
            "day": "2026-11-01", "model": "small", "requests": 3,
            "input_tokens": 600, "output_tokens": 150, "cached_tokens": 60, "cost_usd": 0.0012,
        }  # fmt: skip
        assert [r["requests"] for r in await spent(state.journal, ("day",), Period(november.first, november.last))] == [
            1
        ]
        with pytest.raises(ValueError, match="colour"):
            await spent(state.journal, ("colour",), november)
        await state.close()

    asyncio.run(run())


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def row(**columns: Any) -> dict[str, Any]:
    return columns | dict.fromkeys(SUMS[:-1], 1) | {"cost_usd": None} | columns


def test_csv_has_the_same_cells() -> None:
    text = to_csv(
        ("tag:feature",), [row(**{"tag:feature": 'a, "b"\r\nc', "cost_usd": 1.7e-05}), row(**{"tag:feature": None})]
    )
    first, second = read(text)
    assert (first["tag:feature"], first["requests"], first["cost_usd"]) == ('a, "b"\r\nc', "1", "0.000017")
    assert (second["tag:feature"], second["cost_usd"]) == ("", "")
    assert text.splitlines()[0] == "tag:feature,requests,input_tokens,output_tokens,cached_tokens,cost_usd"


def test_csv_without_rows_has_its_names() -> None:
    assert to_csv(("day",), []).split("\r\n") == [f"day,{','.join(SUMS)}", ""]


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_no_cell_is_a_formula(begin: str) -> None:
    formula = f"{begin}HYPERLINK(1)"
    text = to_csv((f"tag:{begin}", "model"), [row(**{f"tag:{begin}": formula, "model": "small"})])
    (cells,) = read(text)
    assert cells[f"tag:{begin}"] == f"'{formula}"
    assert cells["model"] == "small"


@pytest.mark.parametrize(
    ("dollars", "text"), [(0.0, "0"), (100.0, "100"), (0.000000001, "0.000000001"), (9e6, "9000000")]
)
def test_dollars_have_no_exponent(dollars: float, text: str) -> None:
    (cells,) = read(to_csv(("day",), [row(day="2026-11-01", cost_usd=dollars)]))
    assert cells["cost_usd"] == text


def test_where_a_limit_stands_is_told_in_its_unit_and_zone() -> None:
    money = Balance("tenant", Limit("usd", "month", 500_000_000), 17_000, 1_000, NOVEMBER - HOUR)
    assert standing(money, "Europe/Berlin") == {
        "scope": "tenant", "limit": "usd/month=0.5", "used": 1.7e-05, "held": 1e-06, "remaining": 0.499982,
        "resets": "2026-11-01T00:00:00+01:00",
    }  # fmt: skip
    single = Balance("key", Limit("tokens", "request", 9), 0, 0, 0)
    assert (standing(single, "UTC")["remaining"], standing(single, "UTC")["resets"]) == (9, None)
