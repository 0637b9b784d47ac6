"""Claims in Redis: who is silent loses them, by the server's own clock."""

import asyncio
from pathlib import Path

from gateway.state import CLAIM_S
from gateway.state.redis.claims import RedisClaims
from gateway.state.redis.server import Server
from tests.fakes.redis import RedisServer


def living(owner: str) -> bool:
    return True


def test_who_is_silent_for_too_long_loses_the_claim(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = Server(redis.url, 2.0)
        claims, place = RedisClaims(server), "tollgate:claim:a"
        assert await claims.claim("a", "one", living, 0.0)
        redis.admin.pexpire(place, 1_000)
        assert await claims.claim("a", "one", living, 0.0)  # a sign of life
        assert 1_000 < redis.admin.pttl(place) <= CLAIM_S * 1_000
        assert not await claims.claim("a", "two", living, 1e9)
        redis.admin.pexpire(place, 0)
        assert await claims.claim("a", "two", living, 0.0)
        await server.aclose()

    with RedisServer(tmp_path) as redis:
        asyncio.run(scenario())
