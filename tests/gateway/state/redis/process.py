"""One machine in a process of its own, for tests that kill or freeze it: `process.py WHAT URL FILE [NAME COUNT]`.

hold     hold 10 tokens, checkpoint 4, say so, wait for a line, hold 1 more, say so, and live on
stall    hold 10 tokens; freeze between Redis's word and the file's (SIGSTOP); then say how the hold ended
race     say ready, wait for a line, ask COUNT times for one token as NAME, say how many were admitted
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.state import Hold, Limit, StateUnavailable
from gateway.state.counters import Counter
from gateway.state.owners import owner
from gateway.state.sqlite.budgets import SqliteBudgets
from tests.gateway.state.redis.machine import Machine, machine

RACED = Limit("tokens", "day", 500)


class _Stalling(SqliteBudgets):
    async def record(self, hold: Hold, counters: Sequence[Counter]) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        await super().record(hold, counters)


async def hold(one: Machine) -> None:
    await one.budgets.hold(one.asked("mid-stream", 10, owner=owner(), draft={"model": "small"}))
    await one.budgets.checkpoint("mid-stream", {"tokens": 4, "requests": 1}, {"output_tokens": 4})
    print("held", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await one.budgets.hold(one.asked("next", 1, owner=owner()))
    print("held again", flush=True)
    await asyncio.sleep(600)


async def stall(one: Machine) -> None:
    print("asking", flush=True)
    try:
        await one.budgets.hold(one.asked("stalled", 10, owner=owner()))
        print("admitted", flush=True)
    except StateUnavailable:
        await one.budgets.settle("stalled", {})
        print("unknown", flush=True)


async def race(one: Machine, name: str, count: int) -> None:
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    asked = (one.admitted(one.asked(f"{name}-{number}", 1, RACED)) for number in range(count))
    print(sum(await asyncio.gather(*asked)), flush=True)


async def main(what: str, url: str, file: str, *rest: str) -> None:
    async with machine(url, Path(file), kind=_Stalling if what == "stall" else SqliteBudgets) as one:
        match what:
            case "hold":
                await hold(one)
            case "stall":
                await stall(one)
            case "race":
                await race(one, rest[0], int(rest[1]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
