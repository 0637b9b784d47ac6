"""What was learned of would-be hits, in Redis: a stream a pool, which Redis keeps short, and a set of their names.

What a user said of a request is kept once: one script looks for it and adds it. A sorted set a pool has what was said,
by the time of its place in the stream, and is kept as short.
"""

import json
from dataclasses import astuple, replace
from typing import Any

from gateway.state import POOL, Observation
from gateway.state.redis.server import PREFIX, Server, tagged

_POOLS = PREFIX + "pools"
PIECE = 2_000  # observations a round trip: some 600 kB

# KEYS: the pool's stream, and what users said. ARGV: the observation, how many are kept, what tells it from others, or
# nothing where it need not be.
_OBSERVE = """
if ARGV[3] ~= '' and redis.call('ZSCORE', KEYS[2], ARGV[3]) then return end
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[2], '*', 'observed', ARGV[1])
if ARGV[3] ~= '' then
  redis.call('ZADD', KEYS[2], string.match(id, '^%d+'), ARGV[3])
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[2]))
end
"""


class RedisFeedback:
    """`gateway.state.Feedback` over one server."""

    def __init__(self, server: Server) -> None:
        self._server, self._observe = server, server.register_script(_OBSERVE)

    async def observe(self, observation: Observation) -> None:
        pool, *rest = astuple(observation)
        said = json.dumps([observation.at, observation.key]) if observation.source == "user" else ""
        await self._server.sadd(_POOLS, pool)
        await self._observe(keys=[_stream(pool), tagged(pool, "said")], args=[json.dumps(rest), POOL, said])

    async def observations(self, pool: str) -> list[Observation]:
        found: list[Observation] = []
        after = "-"
        while piece := await self._server.xrange(_stream(pool), after, count=PIECE):
            found += [_observation(pool, *json.loads(fields[b"observed"])) for _, fields in piece]
            after = f"({piece[-1][0].decode()}"
        return found

    async def pools(self) -> list[str]:
        return sorted([name.decode() async for name in self._server.sscan_iter(_POOLS)])


def _observation(pool: str, *rest: Any) -> Observation:
    """What was kept before there were features has none."""
    features: tuple[float, ...] = tuple(rest[6]) if len(rest) > 6 else ()
    return replace(Observation(pool, *rest[:6]), features=features)


def _stream(pool: str) -> str:
    return tagged(pool, "observations")
