"""Windows against written-out dates, and against properties that must hold in every zone there is."""

from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.state import WINDOWS, Window
from gateway.state.windows import MINUTE, latest_span, span

ZONES = sorted(available_timezones())
HOUR = 3600


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("window", "moment", "start", "end"),
    [
        ("day", "2026-11-22T23:59:59.999", "2026-11-22", "2026-11-23"),
        ("day", "2026-11-23T00:00", "2026-11-23", "2026-11-24"),
        ("day", "2026-03-29T12:00", "2026-03-29", "2026-03-30"),  # Europe's clocks change, UTC's do not
        ("day", "2024-02-29T12:00", "2024-02-29", "2024-03-01"),
        ("day", "2016-12-31T23:59:59", "2016-12-31", "2017-01-01"),  # POSIX time leaves its leap second out
        ("month", "2026-01-31T23:59:59.999", "2026-01-01", "2026-02-01"),
        ("month", "2026-02-28T12:00", "2026-02-01", "2026-03-01"),
        ("month", "2024-02-29T23:59:59", "2024-02-01", "2024-03-01"),
        ("month", "2100-02-28T12:00", "2100-02-01", "2100-03-01"),  # no leap year
        ("month", "2026-12-31T23:59:59.999", "2026-12-01", "2027-01-01"),
        ("month", "2027-01-01T00:00", "2027-01-01", "2027-02-01"),
    ],
)
def test_in_utc(window: Window, moment: str, start: str, end: str) -> None:
    assert span(window, at(moment)) == (at(start), at(end))


@pytest.mark.parametrize(
    ("zone", "moment", "start", "hours"),
    [
        ("Europe/Berlin", "2026-11-22T23:30:00+00:00", "2026-11-23T00:00:00+01:00", 24),  # its day, not UTC's
        ("Europe/Berlin", "2026-03-29T01:30:00+00:00", "2026-03-29T00:00:00+01:00", 23),  # 2:00 becomes 3:00
        ("Europe/Berlin", "2026-10-25T00:30:00+00:00", "2026-10-25T00:00:00+02:00", 25),  # 2:30 comes twice
        ("Europe/Berlin", "2026-10-25T01:30:00+00:00", "2026-10-25T00:00:00+02:00", 25),
        ("Asia/Kolkata", "2026-11-22T18:30:00+00:00", "2026-11-23T00:00:00+05:30", 24),
        ("Pacific/Kiritimati", "2026-11-22T10:00:00+00:00", "2026-11-23T00:00:00+14:00", 24),
        ("Australia/Lord_Howe", "2026-10-04T00:00:00+00:00", "2026-10-04T00:00:00+10:30", 23.5),
        # Clocks that skip midnight: the day begins at 1:00, which is the first moment that exists.
        ("Africa/Cairo", "2026-04-24T12:00:00+00:00", "2026-04-24T01:00:00+03:00", 23),
        ("America/Sao_Paulo", "2018-11-04T12:00:00+00:00", "2018-11-04T01:00:00-02:00", 23),
        # Clocks that go back to 23:00 of the day before: it ends at the second midnight.
        ("America/Sao_Paulo", "2018-02-17T12:00:00+00:00", "2018-02-17T00:00:00-02:00", 25),
        # And at 0:01 back to 23:01: the day that has begun goes on.
        ("America/St_Johns", "2010-11-07T02:30:30+00:00", "2010-11-07T00:00:00-02:30", 25),
        ("America/St_Johns", "2010-11-07T02:45:00+00:00", "2010-11-07T00:00:00-02:30", 25),
        # Samoa had no 30 December 2011: it went from one side of the date line to the other.
        ("Pacific/Apia", "2011-12-30T09:59:59+00:00", "2011-12-29T00:00:00-10:00", 24),
        ("Pacific/Apia", "2011-12-30T10:00:00+00:00", "2011-12-31T00:00:00+14:00", 24),
    ],
)
def test_a_day_is_the_zones_own(zone: str, moment: str, start: str, hours: float) -> None:
    begins = datetime.fromisoformat(start).timestamp()
    assert span("day", datetime.fromisoformat(moment).timestamp(), zone) == (begins, begins + hours * HOUR)


@pytest.mark.parametrize(
    ("zone", "moment", "start", "end"),
    [
        ("Europe/Berlin", "2026-10-31T23:30:00+00:00", "2026-11-01T00:00:00+01:00", "2026-12-01T00:00:00+01:00"),
        ("Europe/Berlin", "2026-03-10T00:00:00+00:00", "2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00"),
        ("America/New_York", "2027-01-01T04:59:59+00:00", "2026-12-01T00:00:00-05:00", "2027-01-01T00:00:00-05:00"),
    ],
)
def test_a_month_is_the_zones_own(zone: str, moment: str, start: str, end: str) -> None:
    asked = datetime.fromisoformat(moment).timestamp()
    assert span("month", asked, zone) == tuple(datetime.fromisoformat(text).timestamp() for text in (start, end))


def test_a_minute_counts_for_60_seconds_after_its_second() -> None:
    assert span("minute", at("2026-11-22T10:00:00.999")) == (at("2026-11-22T10:00:00"), at("2026-11-22T10:01:01"))


def test_a_request_has_no_span() -> None:
    assert span("request", at("2026-11-22T10:00"), "Europe/Berlin") == (0, 0)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime", "Europe", "Europe/Berlin\0"])
@pytest.mark.parametrize("window", ["day", "month"])
def test_an_unknown_zone_is_named(window: Window, zone: str) -> None:
    with pytest.raises(ValueError, match=r"there is no time zone .*write an IANA name such as Europe/Berlin"):
        span(window, 0.0, zone)


moments = st.floats(at("1970-01-02"), at("2200-01-01"))


@given(st.sampled_from(["day", "month"]), moments, st.sampled_from(ZONES))
def test_consecutive_spans_tile_time(window: Window, moment: float, zone: str) -> None:
    start, end = span(window, moment, zone)
    assert start <= moment < end
    assert span(window, start, zone) == span(window, end - 0.001, zone) == (start, end)
    assert span(window, end, zone)[0] == end
    assert span(window, start - 0.001, zone)[1] == start


@given(st.sampled_from(["day", "month"]), moments, moments, st.sampled_from(ZONES))
def test_later_is_never_in_an_earlier_window(window: Window, one: float, other: float, zone: str) -> None:
    """What `counters.counter_at` builds on: starts and ends rise together."""
    first, last = span(window, min(one, other), zone), span(window, max(one, other), zone)
    assert first[0] <= last[0]
    assert first[1] <= last[1]


@given(st.lists(st.tuples(st.sampled_from(WINDOWS), moments, st.sampled_from(["UTC", "America/St_Johns"])), min_size=2))
def test_what_is_remembered_is_no_other_span(asked: list[tuple[Window, float, str]]) -> None:
    near = [(window, moment + step, zone) for window, moment, zone in asked for step in (0, 0.5, MINUTE, 86_400)]
    assert [latest_span(*each) for each in near] == [span(*each) for each in near]


@given(moments, st.sampled_from(ZONES))
def test_a_day_lies_in_one_month(moment: float, zone: str) -> None:
    day, month = span("day", moment, zone), span("month", moment, zone)
    assert month[0] <= day[0] < day[1] <= month[1]


@given(moments, st.sampled_from(ZONES))
def test_a_minute_is_a_second_that_counts_for_a_minute_more(moment: float, zone: str) -> None:
    start, end = span("minute", moment, zone)
    assert start <= moment < start + 1
    assert end == start + 1 + MINUTE


@given(st.lists(st.tuples(st.floats(0, 300), st.integers(0, 60)), max_size=40), st.floats(0, 300), st.integers(0, 100))
def test_no_60_seconds_hold_more_than_the_limit(asked: list[tuple[float, int]], start: float, limit: int) -> None:
    """Admit what fits as the stores do; then count over any 60 seconds, and just after what was admitted."""
    admitted: list[tuple[float, int]] = []
    for moment, amount in sorted(asked):
        counted = sum(spent for when, spent in admitted if span("minute", when)[1] > moment)
        if counted + amount <= limit:
            admitted.append((moment, amount))
    for begin in (start, *(moment for moment, _ in admitted)):
        assert sum(spent for when, spent in admitted if begin <= when <= begin + MINUTE) <= limit
