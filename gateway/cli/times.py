"""Times as people write them on the command line: `30d`, `2026-12-31`, `2026-12-31T18:00:00+01:00`. Pure.

A bare day or time is meant in the tenant's zone; a day as an end includes the day.
"""

import re
from contextlib import suppress
from datetime import datetime

from gateway.state import known_zone
from gateway.usage import Period, day_of

_SPAN = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds_of(text: str) -> int:
    """`24h`, `30d`, `90m`, `45s` or `0` as seconds. Raises ValueError."""
    if text == "0":
        return 0
    parts = _SPAN.fullmatch(text)
    if not parts:
        raise ValueError(f"{text!r} is no span of time: write 24h or 30d (s, m, h, d)")
    return int(parts[1]) * _UNITS[parts[2]]


def end_of(text: str, now: float, zone: str) -> float:
    """When something ends, in seconds since the epoch. Raises ValueError, also when that has passed already."""
    at = _end(text, now, zone)
    if at <= now:
        raise ValueError(f"{text} has passed already")
    return at


def _end(text: str, now: float, zone: str) -> float:
    if _SPAN.fullmatch(text):
        return now + seconds_of(text)
    with suppress(ValueError):
        day = day_of(text)
        return Period(day, day, zone).bounds[1]
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=known_zone(zone))).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no end: write 30d, 2026-12-31 or 2026-12-31T18:00:00+01:00") from None
