"""The directory in Redis that all gateways share: records by name, each with the version at which it changed last.

A change is a compare-and-set of one record, with its audit row, in one script; what a record becomes is decided by the
caller (`records`). Every machine copies what changed (`sync`, a few times a second). When the directory is not the one
that was copied (Redis was flushed, restarted or failed over, and may have lost its last writes) each machine first lays
its copy over what is there, and then copies all. Knows tenants and keys as records only.

Invariants: a change that was acknowledged is in the changer's own copy; a copy never loses a record.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import TypeVar

from gateway.state import Change, StateUnavailable
from gateway.state.redis.mirror import Mirror, Position
from gateway.state.redis.records import Record, dump, field, load, merged
from gateway.state.redis.server import PREFIX, Server, pieces

T = TypeVar("T")

# One tag for all, so that one script may touch them; `!` is in no tenant's tag (names are percent-encoded).
_DIRECTORY = PREFIX + "{!directory}:"
_STATE, _RECORDS, _CHANGED = _DIRECTORY + "state", _DIRECTORY + "records", _DIRECTORY + "changed"
PIECE = 200  # records a round trip
TRIES = 20  # of a change that others get before: they would have to be in step with us every time

_NAMED = """
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local directory = (redis.call('HGET', KEYS[1], 'id') or '') .. ':' .. run
"""

# KEYS: state. ARGV: an id, should there be no directory. Returns which directory this is, and its version.
_LOOK = f"""
redis.call('HSETNX', KEYS[1], 'id', ARGV[1])
{_NAMED}
return {{directory, tonumber(redis.call('HGET', KEYS[1], 'version') or 0)}}
"""

# KEYS: state, records, changed. ARGV: the directory, a record's name, its text as known (empty: none), its new text,
# and name and text of an audit row, if any. Returns 0 when the directory or the record is another by now.
_SET = f"""
{_NAMED}
local function put(name, text)
  redis.call('HSET', KEYS[2], name, text)
  redis.call('ZADD', KEYS[3], redis.call('HINCRBY', KEYS[1], 'version', 1), name)
end
if directory ~= ARGV[1] or (redis.call('HGET', KEYS[2], ARGV[2]) or '') ~= ARGV[3] then return 0 end
put(ARGV[2], ARGV[4])
if ARGV[5] and redis.call('HEXISTS', KEYS[2], ARGV[5]) == 0 then put(ARGV[5], ARGV[6]) end
return 1
"""


class Directory:
    """`Record`s by name (`records.field`), shared through `server` and copied to `mirror`."""

    def __init__(self, server: Server, mirror: Mirror) -> None:
        self._server, self._mirror = server, mirror
        self._look, self._set = server.register_script(_LOOK), server.register_script(_SET)

    async def read(self, name: str) -> Record | None:
        """The record as it is in Redis. Raises StateUnavailable."""
        return _loaded(name, await self._server.hget(_RECORDS, name))

    async def change(self, name: str, update: Callable[[Record | None], Record | None], why: Change) -> bool:
        """Replace a record by what `update` makes of it, with its audit row. False when that is None, or the same.

        Raises StateUnavailable.
        """
        for _ in range(TRIES):
            directory = await self.sync()
            text = await self._server.hget(_RECORDS, name)
            known = _loaded(name, text)
            new = update(known)
            if new is None or new == known:
                return False
            if await self._put(directory, name, text, new, field(why), dump(why)):
                await self.sync()
                return True
        raise _contended()

    async def sync(self) -> str:
        """Copy what changed; returns which directory it is. Raises StateUnavailable."""
        for _ in range(TRIES):
            name, version = await self._look(keys=[_STATE], args=[secrets.token_hex(8)])
            directory, since = str(name, "ascii"), await self._mirror.position()
            if since.directory == directory:
                await self._copy(since, since, version)
                return directory
            if await self._restored(directory):
                await self._copy(since, Position(directory), version)
                return directory
        raise _contended()

    async def _copy(self, kept: Position, since: Position, version: int) -> None:
        """Bring the copy, which is at `kept`, from `since` to `version` at least."""
        if since.version >= version and kept == since:
            return
        names: dict[str, None] = {}
        last = since.version
        while found := await self._server.zrangebyscore(
            _CHANGED, f"({last}", "+inf", start=0, num=PIECE, withscores=True
        ):
            names |= dict.fromkeys(name.decode() for name, _ in found)
            last = int(found[-1][1])
        records = [record for record, _ in await self._read(list(names)) if record]
        await self._mirror.store(records, kept, Position(since.directory, last))

    async def _restored(self, directory: str) -> bool:
        """Lay the copy over what is in Redis. False when others change the same: to be tried again."""
        for piece in pieces(await self._mirror.records(), PIECE):
            there = await self._read([field(record) for record in piece])
            for record, (other, text) in zip(piece, there, strict=True):
                new = merged(record, other)
                if new != other and not await self._put(directory, field(record), text, new):
                    return False
        return True

    async def _read(self, names: Sequence[str]) -> list[tuple[Record | None, bytes | None]]:
        """Each record and its text."""
        texts = [text for piece in pieces(names, PIECE) for text in await self._server.hmget(_RECORDS, piece)]
        return [(_loaded(name, text), text) for name, text in zip(names, texts, strict=True)]

    async def _put(self, directory: str, name: str, known: bytes | None, new: Record, *why: str) -> bool:
        args = [directory, name, known or "", dump(new), *why]
        return bool(await self._set(keys=[_STATE, _RECORDS, _CHANGED], args=args))


def _loaded(name: str, text: bytes | None) -> Record | None:
    return load(name, text) if text else None


def _contended() -> StateUnavailable:
    return StateUnavailable(f"the directory of tenants and keys changed {TRIES} times in between: try again")
