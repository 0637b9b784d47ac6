"""The journal in Redis: a hash per request (each field as JSON, so that types survive) and ids sorted by time.

Usage is summed by reading every row of the range: a first form, right for a dashboard of days, not for a year of them.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.state import COLUMNS
from gateway.state.redis.scripts import WRITE
from gateway.state.redis.server import PREFIX, Client, finished, tagged, translated
from gateway.state.rows import checked_groups, checked_row

_BRIEF = tuple(column for column in COLUMNS if column != "detail")
_SUMMED = ("input_tokens", "output_tokens", "cached_tokens", "cost_nano")
CHUNK = 1000  # rows a round trip when summing: enough to hide it, small enough not to hold the server up


class RedisJournal:
    """`gateway.state.Journal` over one server."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._write = client.register_script(WRITE)

    async def write(self, row: Mapping[str, Any]) -> None:
        fields = [part for column, value in checked_row(row).items() for part in (column, json.dumps(value))]
        with translated():
            await finished(self._indexed(row, fields))

    async def read(self, request_id: str) -> dict[str, Any] | None:
        with translated():
            rows = await self._rows([request_id], COLUMNS)
        return rows[0] if rows else None

    async def latest(self, limit: int, tenant: str | None = None) -> list[dict[str, Any]]:
        with translated():
            found = await self._client.zrevrangebyscore(_index(tenant), "+inf", "-inf", start=0, num=limit)
            return await self._rows([request_id.decode() for request_id in found], _BRIEF)

    async def usage(
        self, by: Sequence[str], since: float, until: float, tenant: str | None = None
    ) -> list[dict[str, Any]]:
        groups = checked_groups(by)
        sums: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(_nothing)
        with translated():
            found = await self._client.zrangebyscore(_index(tenant), since, f"({until!r}")
            for start in range(0, len(found), CHUNK):
                ids = [request_id.decode() for request_id in found[start : start + CHUNK]]
                for row in await self._rows(ids, _BRIEF):
                    _add(sums[tuple(_group(row, name) for name in groups)], row)
        return [dict(zip(groups, group, strict=True)) | sums[group] for group in sorted(sums, key=_none_first)]

    async def _indexed(self, row: Mapping[str, Any], fields: list[str]) -> None:
        """The index first: an id without its row is passed over, a row without its id would never be summed."""
        pipeline = self._client.pipeline(transaction=False)
        for index in (_index(None), _index(row["tenant"])):
            pipeline.zadd(index, {row["request_id"]: row["at"]}, nx=True)
        await pipeline.execute()
        await self._write(keys=[_row(row["request_id"])], args=fields)

    async def _rows(self, request_ids: Iterable[str], columns: Sequence[str]) -> list[dict[str, Any]]:
        """The rows that exist, in the order of the ids."""
        pipeline = self._client.pipeline(transaction=False)
        for request_id in request_ids:
            pipeline.hmget(_row(request_id), *columns)
        rows = [zip(columns, values, strict=True) for values in await pipeline.execute() if values[0] is not None]
        return [{column: json.loads(value) for column, value in row} for row in rows]


def _row(request_id: str) -> str:
    return f"{PREFIX}request:{request_id}"


def _index(tenant: str | None) -> str:
    return PREFIX + "journal" if tenant is None else tagged(tenant, "journal")


def _nothing() -> dict[str, Any]:
    return {"requests": 0, "input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, "cost_nano": None}


def _add(sums: dict[str, Any], row: Mapping[str, Any]) -> None:
    sums["requests"] += 1
    for column in _SUMMED:
        if row[column] is not None:
            sums[column] = (sums[column] or 0) + row[column]


def _group(row: Mapping[str, Any], name: str) -> Any:
    return datetime.fromtimestamp(row["at"], UTC).date().isoformat() if name == "day" else row[name]


def _none_first(group: tuple[Any, ...]) -> list[tuple[bool, Any]]:
    return [(value is not None, value) for value in group]
