"""Machines for tests: each has a file of its own and shares one Redis. Several run in one process, as in one fleet."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gateway.state import Amounts, Clock, Hold, Limit, OverLimit, StateUnavailable
from gateway.state.redis.budgets import RedisBudgets
from gateway.state.redis.fleet import DEAD_S
from gateway.state.redis.server import Server
from gateway.state.sqlite.budgets import SqliteBudgets
from gateway.state.sqlite.database import Database

ROOT = Path(__file__).parents[4]
TOKENS = Limit("tokens", "day", 50)
CALL_S = 0.5  # a call may take so long here: these tests are not about busy machines
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
        amounts: Amounts = {"tokens": tokens, "requests": 1}
        hold = Hold(request_id, "acme", "k1", "alive", amounts, limits or (TOKENS,), (), self.clock.now())
        return replace(hold, **more)

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
                hold = replace(hold, request_id=hold.request_id + "+", at=self.clock.now())


@asynccontextmanager
async def machine(
    url: str, path: Path, *, dead_s: float = DEAD_S, ahead_s: float = 0.0, kind: type[SqliteBudgets] = SqliteBudgets
) -> AsyncIterator[Machine]:
    """One process on the file `path`, its clock `ahead_s`; leaving it is an orderly end."""
    database, server = await Database.open(str(path)), Server(url, CALL_S)
    clock = Clock(Clock().anchor + ahead_s)
    local = kind(database, clock)
    pushed: list[Mapping[str, Any]] = []

    async def push(rows: Sequence[Mapping[str, Any]]) -> None:
        pushed.extend(rows)

    budgets = RedisBudgets(server, local, database, path.stem, clock, push, dead_s)
    await budgets.start()
    try:
        yield Machine(path.stem, local, budgets, server, clock, pushed)
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


@dataclass(frozen=True)
class Process:
    """A process of `process.py`: what it says, and its end."""

    running: "subprocess.Popen[str]"

    def said(self) -> str:
        assert self.running.stdout
        return self.running.stdout.readline().strip()

    def tell(self) -> None:
        assert self.running.stdin
        self.running.stdin.write("\n")
        self.running.stdin.flush()

    def freeze(self) -> None:
        self.running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.running.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.running.kill()
        self.running.wait()

    async def frozen(self) -> bool:
        """Whether it is; see proc(5)."""
        stat = await asyncio.to_thread(Path(f"/proc/{self.running.pid}/stat").read_text)
        return stat.rpartition(")")[2].split()[0] == "T"


@contextmanager
def process(*arguments: str) -> Iterator[Process]:
    """Killed at the end."""
    command = [sys.executable, "-m", "tests.gateway.state.redis.process", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield Process(running)
        finally:
            running.kill()


async def once_back(call: Callable[[], Awaitable[object]]) -> None:
    """Make a call once Redis answers again."""
    for _ in range(300):
        with suppress(StateUnavailable):
            await call()
            return
        await asyncio.sleep(0.1)
    raise AssertionError("Redis did not answer again")
