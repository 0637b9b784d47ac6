"""A process that says what it asks of a state file and what was acknowledged: `durable.py PATH COUNT`.

One line before each call, one after it, each a single write to standard output.
"""

import asyncio
import os
import sys
from collections.abc import Coroutine
from typing import Any

from gateway.state import COLUMNS, Amounts, Hold, Limit
from gateway.state.sqlite import open_sqlite

LIMIT = Limit("tokens", "day", 10**12)
AMOUNTS: Amounts = {"tokens": 10}


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


async def told(name: str, call: Coroutine[Any, Any, Any]) -> None:
    say(f"asked {name}")
    await call
    say(f"acknowledged {name}")


async def main(path: str, count: int) -> None:
    state = await open_sqlite(path)
    for number in range(count):
        request_id, now = f"r{number}", state.clock.now()
        row = dict.fromkeys(COLUMNS) | {"request_id": request_id, "at": now, "tenant": "acme"}
        hold = Hold(request_id, "acme", "k1", "owner", AMOUNTS, (LIMIT,), (), now)
        await told(f"hold-{number}", state.budgets.hold(hold))
        await told(f"checkpoint-{number}", state.budgets.checkpoint(request_id, AMOUNTS))
        await told(f"settle-{number}", state.budgets.settle(request_id, AMOUNTS, row))
    await state.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
