"""Which gateway processes there are: each tells Redis that it lives, every BEAT_S, and sees the others do so.

Knows no counter. The times of others are never compared with ours: a process is silent for as long as we have seen no
new beat of it, and only while we could look. Invariant: who was seen is not forgotten because Redis was: a flush takes
our own entry too, which shows it, and then everybody seen before is still expected.
"""

import asyncio
import json
import time
from dataclasses import dataclass

from gateway.state.redis.counts import Member
from gateway.state.redis.server import PREFIX, Server
from gateway.state.sqlite import meta
from gateway.state.sqlite.database import Database

BEAT_S = 0.25
PATIENCE_S = 2.0  # eight beats: a process that missed so many is not waited for when counters are rebuilt
DEAD_S = 30.0  # a machine silent for so long has its holds settled by another: far longer than a restart of Redis
KEEP_S = 60  # entries of the silent, of lost tenants and wanted leases: their purpose is served within seconds
_PEERS = "peers"

# One tag for the three, so that one script may touch them; `!` is in no tenant's tag (names are percent-encoded).
_FLEET = PREFIX + "{!fleet}:"
_KEYS = (_FLEET + "beats", _FLEET + "lost", _FLEET + "wanted")

# KEYS: processes and their beats, tenants lost, tenants whose leases are wanted back. ARGV: process, seconds after
# which an entry is dropped. Returns whether the process is new there, the processes and beats in turn, the two lists.
_BEAT = """
local now, keep = redis.call('TIME'), tonumber(ARGV[2])
local fresh = redis.call('HSET', KEYS[1], ARGV[1], now[1] .. '.' .. now[2])
local beats = redis.call('HGETALL', KEYS[1])
for i = 1, #beats, 2 do
  if tonumber(beats[i + 1]) < now[1] - keep then redis.call('HDEL', KEYS[1], beats[i]) end
end
for i = 2, 3 do redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now[1] - keep) end
return {fresh, beats, redis.call('ZRANGE', KEYS[2], 0, -1), redis.call('ZRANGE', KEYS[3], 0, -1)}
"""

# KEYS: tenants lost, or wanted. ARGV: tenant. At the server's own time.
_NAME = "redis.call('ZADD', KEYS[1], redis.call('TIME')[1], ARGV[1])"


@dataclass(frozen=True, slots=True)
class Seen:
    """Tenants that await their counters, and tenants whose leases somebody needs back."""

    lost: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Peer:
    """Its newest beat, when we saw it, and in which era: how often Redis had forgotten everybody by then."""

    beat: bytes
    seen: float
    era: int


class Fleet:
    """The processes as `member` sees them. Its file keeps those known last, for a start while Redis is empty."""

    def __init__(self, client: Server, database: Database, member: Member, dead_s: float = DEAD_S) -> None:
        self._client, self._database, self.member, self._dead_s = client, database, member, dead_s
        self._beat, self._name = client.register_script(_BEAT), client.register_script(_NAME)
        self._id = f"{member.node}:{member.process}"
        self._peers: dict[str, _Peer] = {}
        self._nodes: dict[str, float] = {}  # when each was seen last
        self._era, self._era_began = 0, 0.0
        self._watching: float | None = None  # since when we have looked without a gap
        self.seen = Seen()

    async def start(self) -> None:
        """Returns when those who live have noticed us: from now on they wait for us. Raises StateUnavailable."""
        known = json.loads(await meta.get(self._database, _PEERS) or "[]")
        self._peers = {peer: _Peer(b"", time.monotonic(), self._era) for peer in known}
        await self.beat()
        deadline = time.monotonic() + PATIENCE_S
        for _ in range(2):  # who beats once more has read the reply to the beat before
            before = dict(self._peers)
            while time.monotonic() < deadline and not self._noticed(before):
                await asyncio.sleep(BEAT_S / 5)
                await self.beat()

    async def stop(self) -> None:
        """Leave in order: nobody waits for this process any more."""
        await self._client.hdel(_KEYS[0], self._id)

    async def beat(self) -> None:
        """Live, and look at the others; what else was seen is in `seen`. Raises StateUnavailable."""
        try:
            fresh, beats, lost, wanted = await self._beat(keys=_KEYS, args=[self._id, KEEP_S])
        except BaseException:
            self._watching = None  # nobody can be called silent while we could not look
            raise
        now = time.monotonic()
        if fresh:
            self._era, self._era_began = self._era + 1, now
        if fresh or self._watching is None:
            self._watching = now
        known = set(self._peers)
        self._look(dict(zip((name.decode() for name in beats[::2]), beats[1::2], strict=True)), now)
        self.seen = Seen(tuple(t.decode() for t in lost), tuple(t.decode() for t in wanted))
        if set(self._peers) != known:
            await meta.put(self._database, _PEERS, json.dumps(sorted(self._peers)))

    def expected(self, since: float) -> list[str]:
        """Whom a rebuild that began at `since` (monotonic) waits for: all that we know, but for those silent by now."""
        now = time.monotonic()
        alive = [peer for peer, known in self._peers.items() if now - max(known.seen, since) < PATIENCE_S]
        return [peer.partition(":")[2] for peer in alive]

    def dead(self, node: str) -> bool:
        """Whether no process of a machine has beaten for DEAD_S, although we were looking."""
        if self._watching is None or node == self.member.node:
            return False
        return time.monotonic() - max(self._nodes.get(node, 0.0), self._watching) > self._dead_s

    async def lost(self, tenant: str) -> None:
        """Tell everybody that a tenant's counters are not whole."""
        await self._tell(_KEYS[1], tenant)

    async def found(self, tenant: str) -> None:
        """They are whole. Who was not waited for learns of it at its next hold."""
        await self._client.zrem(_KEYS[1], tenant)

    async def want(self, tenant: str) -> None:
        """Ask everybody to give a tenant's leases back."""
        await self._tell(_KEYS[2], tenant)

    async def _tell(self, key: str, tenant: str) -> None:
        await self._name(keys=[key], args=[tenant])

    def _noticed(self, before: dict[str, _Peer]) -> bool:
        """Whether everybody who is there has looked since."""
        return all(self._peers[peer].beat != known.beat for peer, known in before.items() if peer in self._peers)

    def _look(self, beats: dict[str, bytes], now: float) -> None:
        for peer, beat in beats.items():
            if peer != self._id and (peer not in self._peers or self._peers[peer].beat != beat):
                self._peers[peer] = _Peer(beat, now, self._era)
                self._nodes[peer.partition(":")[0]] = now
        self._peers = {peer: known for peer, known in self._peers.items() if peer in beats or self._missed(known, now)}

    def _missed(self, peer: _Peer, now: float) -> bool:
        """Whether one that is not there did not leave in order: Redis forgot it, and it may come back."""
        return peer.era < self._era and now - self._era_began < PATIENCE_S
