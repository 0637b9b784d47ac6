"""Cached answers in Redis: a hash each, which Redis itself drops when it expires, and three kinds of index.

An index holds members `[key, partition, tags]` as JSON: all that is needed to remove an entry everywhere. `answers` is
a set sorted by expiry, swept at each `put`; `partition:` and `tag:` are plain sets. A member whose hash is gone is
passed over. Removal is not atomic over the indexes, which a cluster spreads over its nodes: what a crash leaves behind,
the next sweep removes. Long lists are read and removed in pieces, so that none keeps the server from others.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from gateway.state import Entry
from gateway.state.redis.server import PREFIX, Server, pieces

_ALL = PREFIX + "answers"
PIECE = 200  # entries a round trip: with a vector of 384 floats each some 300 kB

# KEYS: the answer. ARGV: milliseconds to live, then field and value in turn.
_STORE = """
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""


class RedisAnswers:
    """`gateway.state.Answers` over one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._store = server.register_script(_STORE)

    async def get(self, key: str, at: float) -> Entry | None:
        fields = await self._server.hgetall(_answer(key))
        entry = _as_entry(key, fields) if fields else None
        return entry if entry and entry.expires > at else None

    async def put(self, entry: Entry) -> None:
        replaced = await self._server.hgetall(_answer(entry.key))
        await self._remove([_member(_as_entry(entry.key, replaced))] if replaced else [])
        await self._remove(await self._server.zrangebyscore(_ALL, "-inf", entry.created, start=0, num=PIECE))
        await self._index(entry)
        live_ms = max(1, int((entry.expires - entry.created) * 1000))
        await self._store(keys=[_answer(entry.key)], args=[live_ms, *_fields(entry)])

    async def vectors(self, partition: str, at: float) -> list[tuple[str, bytes]]:
        keys = [json.loads(member)[0] for member in await self._members(_partition(partition))]
        live = [row for piece in pieces(keys, PIECE) for row in await self._live(piece, at)]
        return [(key, vector) for _, key, vector in sorted(live)]

    async def purge(self, tag: str | None = None) -> int:
        members = await self._server.zrange(_ALL, 0, PIECE - 1) if tag is None else await self._members(_tag(tag))
        removed = 0
        while members:
            removed += sum([await self._remove(piece) for piece in pieces(members, PIECE)])
            members = await self._server.zrange(_ALL, 0, PIECE - 1) if tag is None else []
        return removed

    async def count(self) -> int:
        return int(await self._server.zcard(_ALL))

    async def _members(self, index: str) -> list[bytes]:
        return sorted({member async for member in self._server.sscan_iter(index, count=PIECE)})

    async def _live(self, keys: Sequence[str], at: float) -> list[tuple[float, str, bytes]]:
        """Creation, key and vector of the entries that have one and live."""
        pipeline = self._server.pipeline()
        for key in keys:
            pipeline.hmget(_answer(key), "created", "expires", "vector")
        found = zip(keys, await pipeline.execute(), strict=True)
        return [(float(row[0]), key, row[2]) for key, row in found if row[2] is not None and float(row[1]) > at]

    async def _index(self, entry: Entry) -> None:
        """Before the entry itself: an index may point at nothing, an entry that no purge finds may not be."""
        pipeline = self._server.pipeline()
        pipeline.zadd(_ALL, {_member(entry): entry.expires})
        for index in _indexes(entry.partition, entry.tags):
            pipeline.sadd(index, _member(entry))
        await pipeline.execute()

    async def _remove(self, members: Iterable[str | bytes]) -> int:
        """How many entries were there. They go before their index, so that a crash leaves none that no purge finds."""
        entries, indexes = self._server.pipeline(), self._server.pipeline()
        for member in members:
            key, partition, tags = json.loads(member)
            entries.delete(_answer(key))
            indexes.zrem(_ALL, member)
            for index in _indexes(partition, tags):
                indexes.srem(index, member)
        removed: int = sum(await entries.execute())
        await indexes.execute()
        return removed


def _answer(key: str) -> str:
    return f"{PREFIX}answer:{key}"


def _indexes(partition: str, tags: Iterable[str]) -> list[str]:
    return [_partition(partition), *map(_tag, tags)]


def _partition(partition: str) -> str:
    return f"{PREFIX}partition:{partition}"


def _tag(tag: str) -> str:
    return f"{PREFIX}tag:{tag}"


def _member(entry: Entry) -> str:
    return json.dumps([entry.key, entry.partition, sorted(set(entry.tags))])


def _fields(entry: Entry) -> list[Any]:
    fields = {
        "partition": entry.partition,
        "body": entry.body,
        "created": repr(entry.created),
        "expires": repr(entry.expires),
        "question": entry.question,
        "tags": json.dumps(sorted(set(entry.tags))),
    }
    vector = {} if entry.vector is None else {"vector": entry.vector}
    return [part for pair in (fields | vector).items() for part in pair]


def _as_entry(key: str, fields: dict[bytes, bytes]) -> Entry:
    return Entry(
        key,
        fields[b"partition"].decode(),
        fields[b"body"],
        float(fields[b"created"]),
        float(fields[b"expires"]),
        fields.get(b"vector"),
        tuple(json.loads(fields[b"tags"])),
        fields[b"question"].decode(),
    )
