"""The journal of many gateways: each machine's rows in its own file, all machines' rows and sums in Redis.

A row is written to the file and told to Redis in the background (`outbox.py`), also after an outage. So `write` and
`read` of an own row need no Redis; `latest` and `usage` do, and tell it first what this machine has.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gateway.state.redis.outbox import Outbox
from gateway.state.redis.shared import SUMMED, Part, SharedJournal
from gateway.state.rows import TAG, checked_groups, days
from gateway.state.sqlite.journal import SqliteJournal


class RedisJournal:
    """`gateway.state.Journal` over this machine's file and what all share."""

    def __init__(self, local: SqliteJournal, shared: SharedJournal, outbox: Outbox) -> None:
        self._local, self._shared, self._outbox = local, shared, outbox

    async def write(self, row: Mapping[str, Any]) -> None:
        await self._local.write(row)

    async def read(self, request_id: str) -> dict[str, Any] | None:
        return await self._local.read(request_id) or await self._shared.read(request_id)

    async def latest(self, limit: int, tenant: str | None = None) -> list[dict[str, Any]]:
        await self._outbox.push()
        rows = [row for name in await self._names(tenant) for row in await self._shared.latest(name, limit)]
        return sorted(rows, key=lambda row: (row["at"], row["request_id"]), reverse=True)[:limit]

    async def usage(
        self, by: Sequence[str], since: float, until: float, tenant: str | None = None, zone: str = "UTC"
    ) -> list[dict[str, Any]]:
        groups, day = checked_groups(by), days(zone)
        return _tally(await self._parts(since, until, tenant), groups, day)

    async def judged(
        self, by: Sequence[str], since: float, until: float, tenant: str | None = None, zone: str = "UTC"
    ) -> list[dict[str, Any]]:
        groups, day = checked_groups(by), days(zone)
        return _judged(await self._parts(since, until, tenant), groups, day)

    async def _parts(self, since: float, until: float, tenant: str | None) -> list[Part]:
        await self._outbox.push()
        return [part for name in await self._names(tenant) for part in await self._shared.parts(name, since, until)]

    async def _names(self, tenant: str | None) -> list[str]:
        return [tenant] if tenant is not None else await self._shared.tenants()


def _tally(parts: Iterable[Part], groups: Sequence[str], day: Callable[[float], str]) -> list[dict[str, Any]]:
    """One row a group, as `Journal.usage` gives them."""
    sums: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(_nothing)
    for part in parts:
        _add(sums[tuple(_group(part, name, day) for name in groups)], part)
    return [dict(zip(groups, group, strict=True)) | sums[group] for group in sorted(sums, key=_none_first)]


def _judged(parts: Iterable[Part], groups: Sequence[str], day: Callable[[float], str]) -> list[dict[str, Any]]:
    """One row a group and set of checks, as `Journal.judged` gives them."""
    found: dict[tuple[Any, ...], list[Part]] = defaultdict(list)
    for part in parts:
        if part["checks"] is not None:
            found[*(_group(part, name, day) for name in groups), part["checks"]].append(part)
    names = (*groups, "checks")
    return [dict(zip(names, group, strict=True)) | _answers(found[group]) for group in sorted(found, key=_none_first)]


def _answers(parts: Sequence[Part]) -> dict[str, Any]:
    lengths: Counter[int] = Counter()
    for part in parts:
        lengths.update({int(bucket): answers for bucket, answers in part["lengths"].items()})
    return {
        "answers": sum(part["requests"] for part in parts),
        "first": min(part["at"] for part in parts),
        "output_tokens": sum(part["output_tokens"] or 0 for part in parts),
        "lengths": dict(lengths),
    }


def _nothing() -> dict[str, Any]:
    return {"requests": 0, "input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, "cost_nano": None}


def _add(sums: dict[str, Any], part: Part) -> None:
    for column in ("requests", *SUMMED):
        if part[column] is not None:
            sums[column] = (sums[column] or 0) + part[column]


def _group(part: Part, name: str, day: Callable[[float], str]) -> Any:
    match name:
        case "day":
            return day(part["at"])
        case "tag":
            return part["tags"] if part["tags"] != "{}" else None
        case _ if name.startswith(TAG):
            return json.loads(part["tags"] or "{}").get(name.removeprefix(TAG))
        case _:
            return part[name]


def _none_first(group: tuple[Any, ...]) -> list[tuple[bool, Any]]:
    return [(value is not None, value) for value in group]
