"""Machines for tests: each has a file of its own and shares one Redis. Several run in one process, as in one fleet."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.state import Balance, Clock, Hold, Limit, OverLimit, StateUnavailable
from gateway.state.redis.budgets import RedisBudgets
from gateway.state.redis.fleet import DEAD_S
from gateway.state.redis.server import Server
from gateway.state.sqlite.budgets import SqliteBudgets
from gateway.state.sqlite.database import Database

TOKENS = Limit("tokens", "day", 50)
LONG_S = 30.0  # to wait for what takes moments: a busy machine stretches them


@dataclass
class Machine:
    """One gateway process: its file, what it knows of Redis, and the journal rows that it pushed."""

    node: str
    local: SqliteBudgets
    budgets: RedisBudgets
    server: Server
    clock: Clock
    pushed: list[Mapping[str, Any]] = field(default_factory=list)

    async def standing(self, *limits: Limit) -> list[tuple[int, int]]:
        """Used and held of `acme`, as Redis counts them."""
        found = await self.budgets.balances("acme", "k1", limits or (TOKENS,), (), self.clock.now())
        return [(balance.used, balance.held) for balance in found]

    async def spent(self, *limits: Limit) -> list[tuple[int, int]]:
        """The same, as this machine's file has it."""
        found = await self.local.balances("acme", "k1", limits or (TOKENS,), (), self.clock.now())
        return [(balance.used, balance.held) for balance in found]

    def asked(self, request_id: str, tokens: int = 1, *limits: Limit, **more: Any) -> Hold:
        about = {"owner": "alive", "at": self.clock.now(), **more}
        amounts = {"tokens": tokens, "requests": 1}
        return Hold(
            request_id=request_id, tenant="acme", key="k1", amounts=amounts, tenant_limits=limits or (TOKENS,),
            key_limits=(), **about,
        )  # fmt: skip

    async def admitted(self, hold: Hold) -> bool:
        """Whether it is; what nobody can tell is released and asked again."""
        while True:
            try:
                await self.budgets.hold(hold)
                return True
            except OverLimit:
                return False
            except StateUnavailable:
                await self.budgets.settle(hold.request_id, {})
                await asyncio.sleep(0.05)
                hold = Hold(**{**_fields(hold), "request_id": hold.request_id + "+", "at": self.clock.now()})


def _fields(hold: Hold) -> dict[str, Any]:
    return {name: getattr(hold, name) for name in Hold.__slots__}


@asynccontextmanager
async def machine(url: str, path: Path, *, node: str | None = None, dead_s: float = DEAD_S) -> AsyncIterator[Machine]:
    """One process on the file `path`; leaving it is an orderly end."""
    database, clock, server = await Database.open(str(path)), Clock(), Server(url)
    local, pushed = SqliteBudgets(database, clock), []

    async def push(rows: Sequence[Mapping[str, Any]]) -> None:
        pushed.extend(rows)

    budgets = RedisBudgets(server, local, database, node or path.stem, clock, push, dead_s)
    await budgets.start()
    try:
        yield Machine(node or path.stem, local, budgets, server, clock, pushed)
    finally:
        await budgets.stop()
        await server.aclose()
        await database.close()


@asynccontextmanager
async def machines(url: str, folder: Path, count: int = 2, **options: Any) -> AsyncIterator[list[Machine]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(machine(url, folder / f"m{number}.db", **options))
            for number in range(count)
        ]


async def until(true: Callable[[], Awaitable[Any]], message: str) -> None:
    """Wait for a condition; what cannot be told yet is asked again."""
    deadline = asyncio.get_running_loop().time() + LONG_S
    while True:
        with suppress(StateUnavailable):
            if await true():
                return
        assert asyncio.get_running_loop().time() < deadline, f"{message} within {LONG_S:.0f} s"
        await asyncio.sleep(0.05)
