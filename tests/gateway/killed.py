"""A gateway in a process of its own, to be killed in the middle of an answer: `python killed.py BACKEND FOLDER`.

It says `checkpointed` once the third token was read and its checkpoint is on the disk, then waits for the fourth.
"""

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

from gateway.app import start
from gateway.state import Tenant
from tests.gateway.assembled import given, settings
from tests.gateway.calls import call, caller


async def main(url: str, folder: Path) -> None:
    async with AsyncExitStack() as stack:
        runtime = await start(settings(url, url, folder), stack)
        answers = runtime.pipeline.run(call(who=caller("killed")))
        await given(answers, 4)  # Opened and three deltas
        await asyncio.sleep(0.1)  # the checkpoint's task has begun
        await runtime.state.keys.add_tenant(Tenant("after", (), time.time()))  # writes are done in their order
        print("checkpointed", flush=True)
        await anext(answers)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
