"""What a store says, read as plain tables by nobody's code but SQL's: the auditor trusts no part that it judges.

Knows the tables of a state file (gateway/state/sqlite/tables.py) and judges nothing. With Redis each machine keeps such
a file of its own, its ledger, with what was counted there; what Redis counts is read by `shared`.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import redis

from gateway.state import Limit
from gateway.state.limits import load_limits

Scope = tuple[str, str]  # `tenant` or `key`, and its name


class Account(NamedTuple):
    """One counter."""

    scope: str
    name: str
    unit: str
    window: str
    start: int
    end: int
    used: int
    held: int


@dataclass(frozen=True, slots=True)
class Books:
    """Journal rows, the requests whose hold is open, counters, and the limits of tenants and keys."""

    rows: Sequence[Mapping[str, Any]] = ()
    open: frozenset[str] = frozenset()
    accounts: Sequence[Account] = ()
    limits: Mapping[Scope, tuple[Limit, ...]] = field(default_factory=dict)
    shared: Sequence[Account] | None = None  # what Redis counts, where there is one; leases apart

    @property
    def tenants(self) -> set[str]:
        return {name for scope, name in self.limits if scope == "tenant"}


def read(path: Path, redis_url: str | None = None) -> Books:
    """A state file, as it stands after the last commit, and the counters of a Redis."""
    return replace(_file(path), shared=list(_shared(redis_url)) if redis_url else None)


def _file(path: Path) -> Books:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as db:
        db.row_factory = sqlite3.Row
        db.execute("BEGIN")  # one moment for all the tables
        tables = {row["name"] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return Books(
            [dict(row) for row in db.execute("SELECT * FROM journal")],
            frozenset(hold["request_id"] for hold in db.execute("SELECT request_id FROM holds")),
            _accounts(db),
            dict(_limits(db)) if "tenants" in tables else {},
        )


def _accounts(db: sqlite3.Connection) -> list[Account]:
    columns = ", ".join(f'"{column}"' for column in Account._fields)
    return [Account(*row) for row in db.execute(f"SELECT {columns} FROM counters")]


def _limits(db: sqlite3.Connection) -> Iterable[tuple[Scope, tuple[Limit, ...]]]:
    for scope, query in (("tenant", "SELECT name, limits FROM tenants"), ("key", "SELECT id, limits FROM keys")):
        for name, limits in db.execute(query):
            yield (scope, name), load_limits(limits)


def _shared(url: str) -> Iterator[Account]:
    """The meters: hashes of `h:<start>` (held) and `u:<start>:<machine>` (used) among others."""
    with redis.Redis.from_url(url, decode_responses=True, socket_timeout=30) as server:
        for key in server.scan_iter(match="tollgate:{*}:count:*", count=1000):
            scope, name, unit, window = (unquote(part) for part in key.split(":count:")[1].split(":"))
            fields = server.hgetall(key)
            for start in {field.split(":")[1] for field in fields if field[:2] in ("h:", "u:")}:
                used = sum(int(value) for field, value in fields.items() if field.startswith(f"u:{start}:"))
                yield Account(scope, name, unit, window, int(start), 0, used, int(fields.get(f"h:{start}", 0)))


def admitted(row: Mapping[str, Any]) -> bool:
    """Whether something was held for this request: its row tells the stages that it passed."""
    stages = json.loads(row["detail"] or "{}").get("stages", ())
    return any(stage["stage"] == "hold" and "error" not in stage for stage in stages)
