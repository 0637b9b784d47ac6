"""Cached answers in Redis, by the scripts of `answer_scripts.py`: what they say is here put into values.

Many gateways share them. They may be lost at any time, with the server's memory: a miss. Long lists are read and
removed in pieces, so that none keeps the server from others. Where the store is to compare questions itself (`indexed`,
for more of them than a gateway's memory holds) each partition has a vector set: every gateway of the store must say so.
"""

import json
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any

from redis.exceptions import ResponseError

from gateway.state import Changes, Clock, Entry, StateUnavailable
from gateway.state.eviction import ENTRIES, PAGE, SWEPT, worth
from gateway.state.redis import answer_scripts as scripts
from gateway.state.redis.server import PREFIX, Server

ROOT = PREFIX + "{answers}"


class RedisAnswers:
    """`gateway.state.Answers` over one server, at most `most` of them."""

    def __init__(self, server: Server, clock: Clock, most: int = ENTRIES, indexed: bool = False) -> None:
        self._server, self._clock, self._most, self._indexed = server, clock, most, indexed
        self._put, self._used, self._remove, self._purge, self._purged, self._changes = (
            server.register_script(scripts.text(script, indexed))
            for script in (scripts.PUT, scripts.USED, scripts.REMOVE, scripts.PURGE, scripts.PURGED, scripts.CHANGES)
        )

    async def get(self, key: str, at: float) -> Entry | None:
        fields = await self._server.hgetall(_entry(key))
        entry = _as_entry(key, fields) if fields else None
        return entry if entry and entry.expires > at else None

    async def put(self, entry: Entry) -> None:
        times = [repr(entry.created), self._clock.now() - entry.created, repr(entry.expires), _live_ms(entry)]
        args = [entry.key, _member(entry), *times, worth(entry.saves, 0), self._most, *_fields(entry)]
        await self._put(keys=[ROOT], args=args)

    async def vectors(self, partition: str, at: float) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        cursor, index = -1, f"{ROOT}:partition:{partition}"
        while cursor:
            cursor, keys = await self._server.sscan(index, max(0, cursor), count=PAGE)
            yield await self._live([key.decode() for key in keys], at)

    async def nearest(self, partition: str, vector: bytes, k: int) -> list[tuple[str, float]] | None:
        """Its cosines are off by 0.002 at most: the set keeps 8 bits of a float."""
        if not self._indexed:
            return None
        asked = ["FP32", vector, "WITHSCORES", "COUNT", k]
        found = await self._server.execute_command("VSIM", f"{ROOT}:nearest:{partition}", *asked)
        return [(key.decode(), 2 * float(score) - 1) for key, score in zip(found[::2], found[1::2], strict=True)]

    async def changes(self, cursor: str | None) -> Changes:
        epoch, _, number = (cursor or ":0").partition(":")
        found = await self._changes(keys=[ROOT], args=[secrets.token_hex(8), epoch, number, PAGE])
        now, reached = found[0].decode(), found[1]
        if reached < 0:
            return Changes(f"{now}:{-1 - reached}", whole=cursor is not None)
        rows = zip(*[iter(found[2:])] * 3, strict=True)
        final = {key.decode(): (partition.decode(), vector) for partition, key, vector in rows}
        return Changes(
            f"{now}:{reached}",
            tuple((partition, key, vector) for key, (partition, vector) in final.items() if vector is not None),
            tuple((partition, key) for key, (partition, vector) in final.items() if vector is None),
        )

    async def used(self, key: str, at: float) -> None:
        await self._used(keys=[ROOT], args=[key])

    async def remove(self, key: str) -> bool:
        return bool(await self._remove(keys=[ROOT], args=[key]))

    async def purge(self, tag: str | None = None) -> int:
        what = "all" if tag is None else f"tag:{tag}"
        found, total = SWEPT, 0
        while found == SWEPT:
            found, removed = await self._purge(keys=[ROOT], args=[what, SWEPT])
            total += removed
        return total

    async def purged(self, tags: Sequence[str], since: float) -> bool:
        return bool(await self._purged(keys=[ROOT], args=[json.dumps(list(tags)), self._clock.now() - since]))

    async def count(self) -> int:
        return int(await self._server.zcard(f"{ROOT}:expires"))

    async def _live(self, keys: Sequence[str], at: float) -> list[tuple[str, bytes]]:
        """Key and vector of those that live."""
        pipeline = self._server.pipeline()
        for key in keys:
            pipeline.hmget(_entry(key), "expires", "vector")
        found = zip(keys, await pipeline.execute(), strict=True)
        return [(key, vector) for key, (expires, vector) in found if vector is not None and float(expires) > at]


async def check_index(server: Server) -> None:
    """Raise StateUnavailable when the server cannot compare vectors."""
    try:
        await server.execute_command("VCARD", f"{ROOT}:nearest:")
    except StateUnavailable as error:
        if not isinstance(error.__cause__, ResponseError):  # it did not answer at all
            raise
        raise StateUnavailable(
            "this Redis has no vector sets, which came with Redis 8: use such a one, or leave `vectors=yes` out of its "
            "URL, and each gateway compares questions in its own memory"
        ) from error


def _entry(key: str) -> str:
    return f"{ROOT}:entry:{key}"


def _member(entry: Entry) -> str:
    return json.dumps([entry.partition, entry.vector is not None, sorted(set(entry.tags))])


def _live_ms(entry: Entry) -> int:
    return max(1, int((entry.expires - entry.created) * 1000))


def _fields(entry: Entry) -> list[Any]:
    fields = {
        "partition": entry.partition,
        "body": entry.body,
        "created": repr(entry.created),
        "expires": repr(entry.expires),
        "question": entry.question,
        "tags": json.dumps(sorted(set(entry.tags))),
        "saves": entry.saves,
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
        int(fields[b"saves"]),
    )
