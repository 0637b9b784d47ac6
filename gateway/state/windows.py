"""When a limit's window begins and ends. Pure: knows no clock and no store.

Days and months are the calendar's in a time zone, so a day has 23 or 25 hours when its clocks change. A minute slides:
what is spent at any moment of a second counts until a whole minute after that second, so that no 60 seconds, wherever
they begin, hold more than the limit (and what was spent counts for 61 s at most).
"""

from datetime import date, datetime, time, timedelta

from gateway.state.values import Window, known_zone

MINUTE = 60  # seconds

_latest: dict[tuple[Window, str], tuple[int, int]] = {}


def span(window: Window, at: float, zone: str = "UTC") -> tuple[int, int]:
    """Start (included) and end (excluded) in epoch seconds of what is spent at `at`: from `end` on it counts no more.

    (0, 0) for `request`. Raises ValueError for an unknown zone.
    """
    match window:
        case "request":
            return 0, 0
        case "minute":
            return int(at // 1), int(at // 1) + 1 + MINUTE
        case "day":
            today = _date(at, zone)
            return _midnight(today, zone), _midnight(today + timedelta(days=1), zone)
        case "month":
            first = _date(at, zone).replace(day=1)
            return _midnight(first, zone), _midnight((first + timedelta(days=31)).replace(day=1), zone)


def latest_span(window: Window, at: float, zone: str = "UTC") -> tuple[int, int]:
    """The same, quick for times of one window in a row: every request asks for its day and month several times."""
    start, end = _latest.get((window, zone), (0, 0))
    if not start <= at < end:
        start, end = span(window, at, zone)
        if window != "minute":  # of every second another, which overlaps the one before
            _latest[window, zone] = start, end
    return start, end


def _date(at: float, zone: str) -> date:
    """The local date; where clocks go back over midnight, the new day that has begun goes on."""
    today = datetime.fromtimestamp(at, known_zone(zone)).date()
    tomorrow = today + timedelta(days=1)
    return today if at < _midnight(tomorrow, zone) else tomorrow


def _midnight(day: date, zone: str) -> int:
    """When a local day begins. Where clocks skip midnight it begins with the first moment that exists (PEP 495)."""
    return int(datetime.combine(day, time(), known_zone(zone)).timestamp())
