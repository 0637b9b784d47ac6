"""Answers under a client's Idempotency-Key in Redis: one hash a key, gone by itself REPLAY_S after its claim.

A claim is one script: it takes the key when it is free, or still held as the caller last saw it, and else tells what
is there. Whether an owner lives is judged here, between two such calls.
"""

from collections.abc import Callable
from typing import Any

from gateway.state import REPLAY_S, Replay
from gateway.state.redis.server import Server, tagged

# KEYS: the replay. ARGV: request id, owner and status of what may be replaced, seconds to live, then field and value in
# turn. Returns nothing when it was claimed, else all fields of what is there.
_CLAIM = """
local found = redis.call('HMGET', KEYS[1], 'request_id', 'owner', 'status')
local known = found[1] == ARGV[1] and found[2] == ARGV[2] and found[3] == ARGV[3]
if found[1] and not known then return redis.call('HGETALL', KEYS[1]) end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
redis.call('EXPIRE', KEYS[1], ARGV[4])
return {}
"""

# KEYS: the replay. ARGV: the request id and owner that must have it, then field and value in turn; none of these frees
# the key, unless an answer is stored.
_END = """
local found = redis.call('HMGET', KEYS[1], 'request_id', 'owner', 'status')
if found[1] ~= ARGV[1] or found[2] ~= ARGV[2] then return end
if #ARGV > 2 then redis.call('HSET', KEYS[1], unpack(ARGV, 3))
elseif found[3] == '0' then redis.call('DEL', KEYS[1]) end
"""


class RedisReplays:
    """`gateway.state.Replays` over one server."""

    def __init__(self, server: Server) -> None:
        self._claim, self._end = server.register_script(_CLAIM), server.register_script(_END)

    async def begin(self, replay: Replay, alive: Callable[[str], bool]) -> Replay | None:
        found = await self._claimed(replay, replay)
        while found and found.over(replay.at, alive):
            found = await self._claimed(replay, found)  # it is taken only if nobody else was quicker
        return found

    async def finish(self, replay: Replay) -> None:
        fields = ["status", replay.status, "content_type", replay.content_type, "body", replay.body]
        await self._end(keys=[_place(replay)], args=[replay.request_id, replay.owner, *fields])

    async def abandon(self, replay: Replay) -> None:
        await self._end(keys=[_place(replay)], args=[replay.request_id, replay.owner])

    async def _claimed(self, replay: Replay, over: Replay) -> Replay | None:
        args = [over.request_id, over.owner, over.status, int(REPLAY_S), *_fields(replay)]
        reply = await self._claim(keys=[_place(replay)], args=args)
        return _as_replay(replay, dict(zip(reply[::2], reply[1::2], strict=True))) if reply else None


def _place(replay: Replay) -> str:
    return tagged(replay.tenant, "replay", replay.key)


def _fields(replay: Replay) -> list[Any]:
    """All but tenant and key, which are in the place's name."""
    claim = ["digest", replay.digest, "request_id", replay.request_id, "owner", replay.owner, "at", repr(replay.at)]
    return [*claim, "status", replay.status, "content_type", replay.content_type, "body", replay.body]


def _as_replay(asked: Replay, fields: dict[bytes, bytes]) -> Replay:
    texts = (fields[b"request_id"].decode(), fields[b"owner"].decode(), float(fields[b"at"]))
    answer = (int(fields[b"status"]), fields[b"content_type"].decode(), fields[b"body"])
    return Replay(asked.tenant, asked.key, fields[b"digest"], *texts, *answer)
