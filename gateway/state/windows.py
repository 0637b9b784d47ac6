"""When a limit's window begins and ends: the UTC calendar. Pure; knows no clock, no store and no time zone but UTC."""

from datetime import UTC, datetime

from gateway.state import Window

MINUTE, DAY = 60, 86_400  # seconds; POSIX time has no leap seconds, so every UTC day has as many


def span(window: Window, at: float) -> tuple[float, float]:
    """Start (included) and end (excluded) of the window around `at`, in epoch seconds; (0, 0) for `request`."""
    match window:
        case "request":
            return 0.0, 0.0
        case "minute":
            return _slice(MINUTE, at)
        case "day":
            return _slice(DAY, at)
        case "month":
            return _month(at)


def _slice(length: int, at: float) -> tuple[float, float]:
    start = float(at // length * length)
    return start, start + length


def _month(at: float) -> tuple[float, float]:
    first = datetime.fromtimestamp(at, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return first.timestamp(), following.timestamp()
