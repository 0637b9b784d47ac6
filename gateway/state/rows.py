"""What every journal asks of its callers, and what a row or a group of rows is made of. Pure.

Rows have exactly the journal's columns; groups exist; a day is the calendar's in a time zone, as for limits.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway.state import COLUMNS, GROUPS, RECOVERED, Hold, known_zone
from gateway.state.windows import span

_KNOWN = frozenset(COLUMNS)
TAG = "tag:"  # before the name, in a group that is one tag's value
_TAG_LENGTH = 64  # as long as the API lets a tag's name be
MOST_GROUPS = 16


def checked_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row in the columns' order. Raises ValueError naming what is missing or unknown."""
    if row.keys() != _KNOWN:
        missing, unknown = _KNOWN - row.keys(), row.keys() - _KNOWN
        raise ValueError(f"a journal row lacks {sorted(missing)} and has unknown {sorted(unknown)}")
    return {column: row[column] for column in COLUMNS}


def checked_columns(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Part of a row. Raises ValueError naming what is no column: later, in `recovered`, nobody could mend it."""
    if unknown := columns.keys() - _KNOWN:
        raise ValueError(f"a journal row has no {sorted(unknown)}")
    return dict(columns)


def drafted(hold: Hold) -> dict[str, Any]:
    """What is known of a hold's row, whatever its draft leaves out. Raises ValueError as `checked_columns`."""
    known = {"request_id": hold.request_id, "at": hold.at, "tenant": hold.tenant, "key": hold.key}
    return known | checked_columns(hold.draft)


def recovered(draft: Mapping[str, Any], columns: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a request whose process died: its draft, its last checkpoint, and that nobody saw how it ended."""
    return checked_row(dict.fromkeys(COLUMNS) | dict(draft) | dict(columns) | dict(RECOVERED))


def checked_groups(by: Sequence[str]) -> tuple[str, ...]:
    """The groups, each once. Raises ValueError naming unknown ones, or when there are too many."""
    unknown = [group for group in by if group not in GROUPS and not _names_a_tag(group)]
    if unknown:
        raise ValueError(
            f"usage cannot be grouped by {', '.join(unknown)}; allowed are {', '.join(GROUPS)} and {TAG}<name> "
            f"with a name of 1 to {_TAG_LENGTH} characters"
        )
    groups = tuple(dict.fromkeys(by))
    if len(groups) > MOST_GROUPS:
        raise ValueError(f"usage can be grouped by {MOST_GROUPS} things at once, {len(groups)} were asked")
    return groups


def _names_a_tag(group: str) -> bool:
    return group.startswith(TAG) and 0 < len(group) - len(TAG) <= _TAG_LENGTH


def days(zone: str) -> Callable[[float], str]:
    """A function from a time to its date (YYYY-MM-DD) in that zone, quick for times of one day in a row.

    Raises ValueError for an unknown zone.
    """
    place = known_zone(zone)
    start, end, name = 0, 0, ""

    def day(at: float) -> str:
        nonlocal start, end, name
        if not start <= at < end:
            start, end = span("day", at, zone)
            name = datetime.fromtimestamp(start, place).date().isoformat()
        return name

    return day
