"""What both journals ask of their callers: rows with exactly the journal's columns, groups that exist. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.state import COLUMNS, GROUPS


def checked_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row in the columns' order. Raises ValueError naming what is missing or unknown."""
    missing, unknown = set(COLUMNS) - row.keys(), row.keys() - set(COLUMNS)
    if missing or unknown:
        raise ValueError(f"a journal row lacks {sorted(missing)} and has unknown {sorted(unknown)}")
    return {column: row[column] for column in COLUMNS}


def checked_groups(by: Sequence[str]) -> tuple[str, ...]:
    """The groups, each once. Raises ValueError naming an unknown one."""
    unknown = [group for group in by if group not in GROUPS]
    if unknown:
        raise ValueError(f"usage cannot be grouped by {', '.join(unknown)}; allowed are {', '.join(GROUPS)}")
    return tuple(dict.fromkeys(by))
