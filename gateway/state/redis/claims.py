"""Who makes an answer that several gateways ask for, in Redis: one key a claim, gone when its owner is silent.

A claim is one script: it takes the key when it is free or its own, or still held by the owner whom the caller found
dead, and else tells who has it. Whether an owner lives is judged here, between two such calls.
"""

from collections.abc import Callable

from gateway.state import CLAIM_S
from gateway.state.redis.server import PREFIX, Server

# KEYS: the claim. ARGV: who asks, who may be replaced, milliseconds to live. Returns who has it otherwise.
_CLAIM = """
local found = redis.call('GET', KEYS[1])
if found and found ~= ARGV[1] and found ~= ARGV[2] then return found end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
"""

# KEYS: the claim. ARGV: who gives it free.
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class RedisClaims:
    """`gateway.state.Claims` over one server. It goes by Redis's clock: gateways' own ones differ."""

    def __init__(self, server: Server) -> None:
        self._claim, self._release = server.register_script(_CLAIM), server.register_script(_RELEASE)

    async def claim(self, key: str, owner: str, alive: Callable[[str], bool], at: float) -> bool:
        other = await self._claimed(key, owner, over=owner)
        while other and not alive(other):
            other = await self._claimed(key, owner, over=other)  # it is taken only if nobody else was quicker
        return not other

    async def release(self, key: str, owner: str) -> None:
        await self._release(keys=[_place(key)], args=[owner])

    async def _claimed(self, key: str, owner: str, over: str) -> str:
        """Who has it, if it is not ours now."""
        found = await self._claim(keys=[_place(key)], args=[owner, over, int(CLAIM_S * 1000)])
        return found.decode() if found else ""


def _place(key: str) -> str:
    return f"{PREFIX}claim:{key}"
