"""Open holds as others read them: who holds, and with what. Knows the table `holds`, changes nothing."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.state import Amounts
from gateway.state.counters import Counter


@dataclass(frozen=True, slots=True)
class Pending:
    """An open hold as it is kept: `draft` and `columns` are parts of its journal row, `spent` its last checkpoint."""

    request_id: str
    tenant: str
    owner: str
    amounts: Amounts
    counters: tuple[Counter, ...]
    draft: Mapping[str, Any]
    spent: Amounts
    columns: Mapping[str, Any]


def owners(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """(request id, owner), oldest first."""
    return [(row["request_id"], row["owner"]) for row in db.execute("SELECT * FROM holds ORDER BY rowid")]


def pending(db: sqlite3.Connection, tenant: str | None) -> list[Pending]:
    """Of one tenant or all, oldest first."""
    rows = db.execute(
        "SELECT * FROM holds WHERE :tenant IS NULL OR tenant = :tenant ORDER BY rowid", {"tenant": tenant}
    )
    return [_pending(row) for row in rows]


def _pending(row: sqlite3.Row) -> Pending:
    amounts, draft, spent, columns = (json.loads(row[name]) for name in ("amounts", "draft", "spent", "columns"))
    counters = tuple(Counter(*counter) for counter in json.loads(row["counters"]))
    return Pending(row["request_id"], row["tenant"], row["owner"], amounts, counters, draft, spent, columns)
