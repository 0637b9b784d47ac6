"""What was learned of would-be hits, in Redis: a stream a pool, which Redis keeps short, and a set of their names."""

import json
from dataclasses import astuple

from gateway.state import POOL, Observation
from gateway.state.redis.server import PREFIX, Server, tagged

_POOLS = PREFIX + "pools"
PIECE = 2_000  # observations a round trip: some 300 kB


class RedisFeedback:
    """`gateway.state.Feedback` over one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def observe(self, observation: Observation) -> None:
        pool, *rest = astuple(observation)
        pipeline = self._server.pipeline()
        pipeline.sadd(_POOLS, pool)
        pipeline.xadd(_stream(pool), {"observed": json.dumps(rest)}, maxlen=POOL, approximate=False)
        await pipeline.execute()

    async def observations(self, pool: str) -> list[Observation]:
        found: list[Observation] = []
        after = "-"
        while piece := await self._server.xrange(_stream(pool), after, count=PIECE):
            found += [Observation(pool, *json.loads(fields[b"observed"])) for _, fields in piece]
            after = f"({piece[-1][0].decode()}"
        return found

    async def pools(self) -> list[str]:
        return sorted([name.decode() async for name in self._server.sscan_iter(_POOLS)])


def _stream(pool: str) -> str:
    return tagged(pool, "observations")
