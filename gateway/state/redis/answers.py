"""Cached answers in Redis: a hash each, which Redis itself drops when it expires, and three kinds of index.

An index holds members `[key, partition, tags]` as JSON: all that is needed to remove an entry everywhere. `answers` is
a set sorted by expiry, swept at each `put`; `partition:` and `tag:` are plain sets. A member whose hash is gone is
passed over. Removal is not atomic over the indexes: what a crash leaves behind, the next sweep removes.
"""

import json
from collections.abc import Iterable
from typing import Any

from gateway.state import Entry
from gateway.state.redis.server import PREFIX, Client, translated

_ALL = PREFIX + "answers"


class RedisAnswers:
    """`gateway.state.Answers` over one server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def get(self, key: str, at: float) -> Entry | None:
        with translated():
            fields = await self._client.hgetall(_answer(key))
        entry = _as_entry(key, fields) if fields else None
        return entry if entry and entry.expires > at else None

    async def put(self, entry: Entry) -> None:
        with translated():
            replaced = await self._client.hgetall(_answer(entry.key))
            await self._remove([_member(_as_entry(entry.key, replaced))] if replaced else [])
            await self._remove(await self._client.zrangebyscore(_ALL, "-inf", entry.created))
            await self._index(entry)
            await self._store(entry)

    async def vectors(self, partition: str, at: float) -> list[tuple[str, bytes]]:
        with translated():
            members = await self._client.smembers(_partition(partition))
            keys = [json.loads(member)[0] for member in members]
            pipeline = self._client.pipeline(transaction=False)
            for key in keys:
                pipeline.hmget(_answer(key), "created", "expires", "vector")
            found = zip(keys, await pipeline.execute(), strict=True)
        live = [(float(row[0]), key, row[2]) for key, row in found if row[2] is not None and float(row[1]) > at]
        return [(key, vector) for _, key, vector in sorted(live)]

    async def purge(self, tag: str | None = None) -> int:
        with translated():
            members = await (self._client.zrange(_ALL, 0, -1) if tag is None else self._client.smembers(_tag(tag)))
            return await self._remove(members)

    async def count(self) -> int:
        with translated():
            return int(await self._client.zcard(_ALL))

    async def _index(self, entry: Entry) -> None:
        """Before the entry itself: an index may point at nothing, an entry that no purge finds may not be."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.zadd(_ALL, {_member(entry): entry.expires})
        for index in _indexes(entry.partition, entry.tags):
            pipeline.sadd(index, _member(entry))
        await pipeline.execute()

    async def _store(self, entry: Entry) -> None:
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hset(_answer(entry.key), mapping=_fields(entry))
        pipeline.pexpire(_answer(entry.key), max(1, int((entry.expires - entry.created) * 1000)))
        await pipeline.execute()

    async def _remove(self, members: Iterable[str | bytes]) -> int:
        """How many entries were there. They go before their index, so that a crash leaves none that no purge finds."""
        entries, indexes = self._client.pipeline(transaction=False), self._client.pipeline(transaction=False)
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


def _fields(entry: Entry) -> dict[str, Any]:
    fields = {
        "partition": entry.partition,
        "body": entry.body,
        "created": repr(entry.created),
        "expires": repr(entry.expires),
        "question": entry.question,
        "tags": json.dumps(sorted(set(entry.tags))),
    }
    return fields if entry.vector is None else fields | {"vector": entry.vector}


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
