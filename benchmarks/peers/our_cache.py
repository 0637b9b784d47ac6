"""Tollgate's cache as it is compared with others: the gateway's own stage in this process, on a store that is filled.

No HTTP, no ledger: they are on neither side.
"""

import asyncio
import time
from collections.abc import Sequence
from itertools import count
from typing import cast

from benchmarks.peers.caches import Timed, answer
from benchmarks.pipeline import TINY, Instant
from gateway.caches import cache
from gateway.caching.kept import packed
from gateway.caching.slots import Slots
from gateway.exchange import Call, Caller, Format, Hit, Options, Prompt, Verdict
from gateway.models import Model
from gateway.settings import Cache as Section
from gateway.state import Entry, State
from gateway.tracing import Trace
from retrieval.embed import Embedder, Vectors
from serving.backend import Backend
from serving.events import Choice, Completion, Deltas, Start, Usage
from serving.pool import Pool
from serving.tokens import LocalTokens

AT_ONCE = 64  # puts on their way, while the store is filled
_numbers = count()


class Ours:
    """The stage, filled. No hit is sampled, so that each is served."""

    def __init__(self, state: State, embedder: Embedder) -> None:
        section = Section(sample=0.0)
        models = {"small": Model("small", "tiny", Pool([cast(Backend, Instant())]), LocalTokens.load(TINY), 4096, 512)}
        self._state = state
        self._slots = Slots(section, models, embedder.identity)
        self._stage = cache(section, state, embedder, models)

    async def fill(self, texts: Sequence[str], vectors: dict[str, Vectors]) -> None:
        for start in range(0, len(texts), AT_ONCE):
            some = enumerate(texts[start : start + AT_ONCE], start)
            await asyncio.gather(*(self._state.answers.put(self._entry(n, text, vectors[text])) for n, text in some))

    def _entry(self, number: int, text: str, vector: Vectors) -> Entry:
        call, prompt = asked(text)
        slot = self._slots.of(call, prompt)
        choice = Choice(0, {"role": "assistant", "content": answer(number)}, "stop")
        completion = Completion(Start("chatcmpl-1", int(call.at), "tiny"), (choice,), Usage(30, 180))
        body = packed(completion, Verdict("complete", "stop"))
        until = call.at + slot.ttl_s
        return Entry(slot.key, slot.partition, body, call.at, until, vector.tobytes(), slot.tags, text, 210)

    async def look(self, number: int, text: str) -> Timed:
        """Milliseconds, and whether the answer is the right one."""
        began = time.perf_counter()
        call, prompt = asked(text)
        found = await self._stage(call, prompt)
        said = ""
        if isinstance(found, Hit):
            async for event in found.given.events(call):
                if isinstance(event, Deltas):
                    said += "".join(delta.text for delta in event.pieces)
        return (time.perf_counter() - began) * 1e3, said == answer(number)


def asked(question: str) -> tuple[Call, Prompt]:
    messages = ({"role": "user", "content": question},)
    request, caller = f"request-{next(_numbers)}", Caller("key-1", "acme")
    call = Call(request, caller, "small", messages, None, {}, Options(), True, Trace(), time.time())
    return call, Prompt("small", messages, {}, None, question, Format(), None, {}, "verdict", "semantic")
