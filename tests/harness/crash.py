"""The crash runner: many streams under way, a signal at a seeded moment, and afterwards a restart to be audited.

Whoever kills before work has begun proves nothing: the signal comes only after the first piece of an answer, which is
the acknowledgement of a hold. Every run is told by its seed.
"""

import asyncio
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass

from tests.fakes.backend import FakeBackend, Script
from tests.fakes.said import dripping, said
from tests.harness.client import Reply, chat
from tests.harness.counting import ASKED
from tests.harness.gateway import Gateway

GAP_S = 0.05  # between the tokens of a stream: fifty of them are a thousand events a second
TOKENS = 120  # a stream lasts six seconds, longer than any moment that is drawn
SPAN_S = 3.0
# The gateway notes what was used each second; twice that again is for a machine that is busy with fifty streams.
CHECKPOINT = int(3 / GAP_S)
BODY = {"model": "small", "messages": ASKED, "max_tokens": TOKENS, "stream": True}
STREAM = Script(dripping(GAP_S, said(*["word "] * TOKENS, finish="length")))


@dataclass(frozen=True, slots=True)
class Crash:
    """`end` ends the gateway, or a part of it; by default all its processes at once."""

    seed: int
    streams: int = 50
    end: Callable[[Gateway], None] = Gateway.kill

    def run(self, gateway: Gateway, fake: FakeBackend, key: str) -> list[Reply]:
        """What each client has when its stream has ended, by itself or with the gateway."""
        print(f"crash with seed {self.seed}")
        fake.usual = lambda seen: STREAM
        return asyncio.run(self._run(gateway, key))

    async def _run(self, gateway: Gateway, key: str) -> list[Reply]:
        begun = asyncio.Event()

        def told(reply: Reply) -> None:
            if reply.events:
                begun.set()

        streams = [asyncio.create_task(chat(gateway.url, key, BODY, on_event=told)) for _ in range(self.streams)]
        over = asyncio.gather(*streams)
        await asyncio.wait((asyncio.ensure_future(begun.wait()), over), return_when=asyncio.FIRST_COMPLETED)
        assert begun.is_set(), f"nobody was answered: {[(reply.status, reply.code) for reply in over.result()]}"
        await asyncio.sleep(random.Random(self.seed).uniform(0, SPAN_S))
        await asyncio.to_thread(self.end, gateway)
        return await over


def terminate(gateway: Gateway) -> None:
    """The polite way: running answers may finish."""
    gateway.kill(signal.SIGTERM)
