"""The journal's part in Redis: every machine's rows for a while, and for ever their sums per quarter of an hour.

Per tenant: `row:<request id>` and `detail:<request id>` (JSON, kept ROW_S and DETAIL_S), `journal` (ids by time),
`sums:<quarter>` and `quarters`. A quarter's sums are a hash with one field a machine, the absolute sums of its own file
(a grow-only counter, Shapiro et al. 2011), so that telling them again, late or twice, counts nothing twice. A row told
in place of a dead machine has a field of its own, until that machine is back and tells it itself. All is written by
plain commands that may be repeated: what a crash leaves half told is told again (`outbox.py`).

Quarters, for the days of every time zone begin with one. Knows no file and no group.
"""

import json
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from gateway.state import COLUMNS
from gateway.state.lengths import bucket
from gateway.state.redis.server import PREFIX, Server, pieces, tagged

QUARTER_S = 900
ROW_S = 35 * 86_400  # a month and some days: what the dashboard lists; the file of its machine keeps every row
DETAIL_S = 7 * 86_400  # stages and decisions of a request are looked at within days, and are the bulk of a row
PIECE = 100  # rows or hashes a round trip: 400 commands, a few milliseconds of Redis

GROUPED = ("key", "model", "prompt", "prompt_version", "tags", "fingerprint", "checks")
SUMMED = ("input_tokens", "output_tokens", "cached_tokens", "cost_nano")

_ID, _TENANTS = PREFIX + "journal:id", PREFIX + "journal:tenants"

# KEYS: a quarter's sums, the quarters. ARGV: the machine, how many requests, its sums, the quarter. Two processes of a
# machine may tell in the wrong order: requests only grow, so more of them are the newer sums.
_SUM = """
local known = redis.call('HGET', KEYS[1], ARGV[1]) or '0'
if tonumber(ARGV[2]) >= tonumber(string.match(known, '^%d+')) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
end
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[4])
"""

# A row, or the sums of several: `at` (a time within the quarter), `tenant`, the columns of GROUPED, `requests`, SUMMED,
# and `lengths`: how many had so many output tokens, by bucket (as text, for it comes from JSON).
Part = Mapping[str, Any]
_BRIEF = tuple(column for column in COLUMNS if column != "detail")
_LATER: Part = {"fingerprint": None, "checks": None, "lengths": {}}  # what sums lack that an older version told


def quarter(at: float) -> int:
    return int(at // QUARTER_S)


class SharedJournal:
    """Rows and sums of all machines."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._sum = server.register_script(_SUM)

    async def identity(self) -> tuple[str, str]:
        """The journal's id, another one after a loss, and the servers' runs: after a restart its end may be lost."""
        await self._server.set(_ID, secrets.token_hex(8), nx=True)
        servers = await self._server.on_each("INFO", "server")
        return (await self._server.get(_ID)).decode(), " ".join(sorted(found["run_id"] for found in servers))

    async def tell(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows that are not there. Raises StateUnavailable."""
        pipeline = self._server.pipeline()
        for row in rows:
            tenant, request_id = row["tenant"], row["request_id"]
            pipeline.set(tagged(tenant, "row", request_id), _brief(row), nx=True, ex=ROW_S)
            pipeline.set(tagged(tenant, "detail", request_id), row["detail"] or "", nx=True, ex=DETAIL_S)
            pipeline.set(_owner(request_id), tenant, ex=ROW_S)
            pipeline.zadd(tagged(tenant, "journal"), {request_id: row["at"]}, nx=True)
        await pipeline.execute()
        await self._swept({row["tenant"] for row in rows})

    async def sum(self, tenant: str, number: int, machine: str, groups: Sequence[Part]) -> None:
        """What a machine's file says of a quarter; never less than it said before. Raises StateUnavailable."""
        requests = sum(group["requests"] for group in groups)
        keys = [tagged(tenant, "sums", str(number)), tagged(tenant, "quarters")]
        await self._sum(keys=keys, args=[machine, requests, json.dumps(list(groups)), number])

    async def owned(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """These rows are in the sums of their own machine (again): nobody else's word counts any more."""
        pipeline = self._server.pipeline()
        for row in rows:
            pipeline.hdel(tagged(row["tenant"], "sums", str(quarter(row["at"]))), stand_in(row))
        await pipeline.execute()

    async def tenants(self) -> list[str]:
        return sorted([name.decode() async for name in self._server.sscan_iter(_TENANTS, count=PIECE)])

    async def read(self, request_id: str) -> dict[str, Any] | None:
        """The row; without detail once that is gone."""
        tenant = await self._server.get(_owner(request_id))
        if tenant is None:
            return None
        row = await self._server.get(tagged(tenant.decode(), "row", request_id))
        detail = await self._server.get(tagged(tenant.decode(), "detail", request_id))
        return _row(row) | {"detail": detail.decode() if detail else None} if row else None

    async def latest(self, tenant: str, limit: int) -> list[dict[str, Any]]:
        """The newest rows, newest first, without detail."""
        return [row async for row in self._rows(tenant, 0, limit, desc=True)]

    async def parts(self, tenant: str, since: float, until: float) -> list[Part]:
        """What adds up to the rows with since <= at < until: whole quarters' sums, and single rows around them."""
        first, last = -quarter(-since), quarter(until)
        if first >= last:
            return await self._between(tenant, since, until)
        edges = [(since, first * QUARTER_S), (last * QUARTER_S, until)]
        rows = [part for edge in edges for part in await self._between(tenant, *edge)]
        return rows + await self._sums(tenant, first, last)

    async def _between(self, tenant: str, since: float, until: float) -> list[Part]:
        if since >= until:
            return []
        index = tagged(tenant, "journal")
        start, stop = [await self._server.zcount(index, "-inf", f"({at!r}") for at in (since, until)]
        return [{"at": row["at"], "tenant": tenant} | part(row) async for row in self._rows(tenant, start, stop)]

    async def _sums(self, tenant: str, first: int, last: int) -> list[Part]:
        numbers = await self._server.zrangebyscore(tagged(tenant, "quarters"), first, f"({last}")
        parts: list[Part] = []
        for piece in pieces(numbers, PIECE):
            pipeline = self._server.pipeline()
            for number in piece:
                pipeline.hvals(tagged(tenant, "sums", number.decode()))
            for number, machines in zip(piece, await pipeline.execute(), strict=True):
                known = {"tenant": tenant, "at": int(number) * QUARTER_S}
                parts += [
                    {**_LATER, **group, **known} for sums in machines for group in json.loads(sums.partition(b" ")[2])
                ]
        return parts

    async def _rows(self, tenant: str, start: int, stop: int, desc: bool = False) -> AsyncIterator[dict[str, Any]]:
        """The rows of these ranks by time; ids whose row is gone are passed over."""
        for begin in range(start, stop, PIECE):
            end = min(begin + PIECE, stop) - 1
            found = await self._server.zrange(tagged(tenant, "journal"), begin, end, desc=desc)
            pipeline = self._server.pipeline()
            for request_id in found:
                pipeline.get(tagged(tenant, "row", request_id.decode()))
            for text in await pipeline.execute():
                if text is not None:
                    yield _row(text)
            if len(found) < PIECE:
                return

    async def _swept(self, tenants: Iterable[str]) -> None:
        """Note the tenants, and forget ids a month older than their newest: their rows expire."""
        for tenant in tenants:
            await self._server.sadd(_TENANTS, tenant)
            ((_, newest),) = await self._server.zrange(tagged(tenant, "journal"), -1, -1, withscores=True)
            await self._server.zremrangebyscore(tagged(tenant, "journal"), "-inf", newest - ROW_S)


def stand_in(row: Mapping[str, Any]) -> str:
    """The field for one row that is told in place of its machine."""
    return f"row:{row['request_id']}"


def part(row: Mapping[str, Any]) -> dict[str, Any]:
    """What one row adds to sums."""
    lengths = {str(bucket(row["output_tokens"] or 0)): 1}
    return {column: row[column] for column in (*GROUPED, *SUMMED)} | {"requests": 1, "lengths": lengths}


def _owner(request_id: str) -> str:
    return f"{PREFIX}request:{request_id}"


def _brief(row: Mapping[str, Any]) -> str:
    return json.dumps([row[column] for column in _BRIEF])


def _row(text: bytes) -> dict[str, Any]:
    """A row that an older version told lacks the last columns."""
    return dict.fromkeys(_BRIEF) | dict(zip(_BRIEF, json.loads(text), strict=False))
