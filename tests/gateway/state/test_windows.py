from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.state import Window
from gateway.state.windows import span


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("window", "moment", "start", "end"),
    [
        ("minute", "2026-11-22T10:59:59.999", "2026-11-22T10:59", "2026-11-22T11:00"),
        ("minute", "2026-11-22T11:00", "2026-11-22T11:00", "2026-11-22T11:01"),
        ("day", "2026-11-22T23:59:59.999", "2026-11-22", "2026-11-23"),
        ("day", "2026-11-23T00:00", "2026-11-23", "2026-11-24"),
        ("day", "2026-03-29T12:00", "2026-03-29", "2026-03-30"),  # Europe's clocks change, UTC's do not
        ("day", "2024-02-29T12:00", "2024-02-29", "2024-03-01"),
        (
            "day",
            "2016-12-31T23:59:59",
            "2016-12-31",
            "2017-01-01",
        ),  # ended with a leap second, which POSIX time leaves out
        ("month", "2026-01-31T23:59:59.999", "2026-01-01", "2026-02-01"),
        ("month", "2026-02-28T12:00", "2026-02-01", "2026-03-01"),
        ("month", "2024-02-29T23:59:59", "2024-02-01", "2024-03-01"),
        ("month", "2100-02-28T12:00", "2100-02-01", "2100-03-01"),  # no leap year
        ("month", "2026-12-31T23:59:59.999", "2026-12-01", "2027-01-01"),
        ("month", "2027-01-01T00:00", "2027-01-01", "2027-02-01"),
    ],
)
def test_span(window: Window, moment: str, start: str, end: str) -> None:
    assert span(window, at(moment)) == (at(start), at(end))


def test_a_request_has_no_span() -> None:
    assert span("request", at("2026-11-22T10:00")) == (0, 0)


@given(st.sampled_from(["minute", "day", "month"]), st.floats(0, at("2200-01-01T00:00")))
def test_spans_cover_time_without_gap_or_overlap(window: Window, moment: float) -> None:
    start, end = span(window, moment)
    assert start <= moment < end
    assert span(window, start) == (start, end)
    assert span(window, end)[0] == end
