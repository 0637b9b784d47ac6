"""A process of its own on a store, for tests that kill it or race several: `process.py WHAT URL LEDGER [NAME COUNT]`.

hold     hold 10 tokens, checkpoint 4, say so, and live on
write    journal rows for ever, naming each once it is acknowledged
put      cached answers for ever, naming each once it is acknowledged
claim    claim the answer "a", say so, and live on
race     say ready, wait for a line, ask COUNT times for one token as NAME, say how many were admitted
"""

import asyncio
import sys
import time

from gateway.state import COLUMNS, Entry, Hold, Limit, OverLimit, State
from gateway.state.open import open_state
from gateway.state.owners import alive, owner

TOKENS = Limit("tokens", "month", 50)


def asked(request_id: str, tokens: int) -> Hold:
    return Hold(request_id, "acme", "k1", owner(), {"tokens": tokens}, (TOKENS,), (), time.time())


async def hold(state: State) -> None:
    await state.budgets.hold(asked("mid-stream", 10))
    await state.budgets.checkpoint("mid-stream", {"tokens": 4})
    print("held", flush=True)
    await asyncio.sleep(600)


async def write(state: State) -> None:
    async def rows(stream: int) -> None:
        for number in range(1_000_000):
            request_id = f"r{stream}-{number}"
            await state.journal.write(dict.fromkeys(COLUMNS) | {"request_id": request_id, "at": 1.0, "tenant": "acme"})
            print(request_id, flush=True)

    await asyncio.gather(*map(rows, range(8)))


async def put(state: State) -> None:
    async def answers(stream: int) -> None:
        for number in range(1_000_000):
            key, now = f"a{stream}-{number}", state.clock.now()
            await state.answers.put(Entry(key, "p", b"{}", now, now + 1_000, b"\0" * 1536, ("acme",)))
            print(key, flush=True)

    await asyncio.gather(*map(answers, range(8)))


async def claim(state: State) -> None:
    assert await state.claims.claim("a", owner(), alive, time.time())
    print("claimed", flush=True)
    await asyncio.sleep(600)


async def race(state: State, name: str, count: int) -> None:
    async def admitted(number: int) -> bool:
        try:
            await state.budgets.hold(asked(f"{name}-{number}", 1))
        except OverLimit:
            return False
        return True

    print("ready", flush=True)
    sys.stdin.readline()
    print(sum([await admitted(number) for number in range(count)]), flush=True)


async def main(what: str, url: str, ledger: str, *rest: str) -> None:
    state = await open_state(url, ledger)
    match what:
        case "hold":
            await hold(state)
        case "write":
            await write(state)
        case "put":
            await put(state)
        case "claim":
            await claim(state)
        case "race":
            await race(state, rest[0], int(rest[1]))
    await state.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
