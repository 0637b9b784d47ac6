"""The story of one request. Everything else is detail.

A plain function over typed values: the order of the steps is the order of the lines, a cache hit is an `if`, and what
must happen on every way out is a scope. Streamed and buffered calls read the same events; the edge renders or collects.

Knows no HTTP, no SQL and no vendor. Invariants: nothing is sent before the most it can cost is set aside; another
backend is tried until the first event, never after; `Closed` comes only after the check, the settlement and the
journal's row, because a client may leave right after it.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from gateway.answering.causes import honest
from gateway.exchange import Answer, Call, Hit, Miss, Packed, Plan, Prompt, Verdict
from gateway.ledger import Entry, Ledger
from gateway.stages.build import Build
from gateway.stages.cache import Cache
from gateway.stages.check import Check
from gateway.stages.finish import Finish, Given
from gateway.stages.guard import Guard
from gateway.stages.preflight import Preflight
from gateway.stages.retrieve import Retrieve
from gateway.stages.truncate import Truncate
from serving.events import Completion, Deltas, End, Fold, Start


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages, built once and called once per request."""

    ledger: Ledger
    guard: Guard
    build: Build
    truncate: Truncate
    preflight: Preflight
    cache: Cache
    retrieve: Retrieve
    finish: Finish
    check: Check
    after: Callable[[Call, Prompt, Plan], None] = lambda call, prompt, plan: None  # told of each answer that was made

    async def run(self, call: Call) -> AsyncGenerator[Answer, None]:
        """Answer one call: `Opened`, `Deltas`, `Closed`. Raises a Refusal or a BackendError."""
        async with self.ledger.open(call) as entry:
            call = await self.guard.asked(call)  # may refuse it, or take out what must not go on
            prompt = entry.saw(await self.build(call))  # template and variables -> messages
            sized = await self.truncate(call, prompt)  # what does not fit is left out, where that is allowed
            prompt = entry.saw(sized.prompt)
            plan = entry.saw(await self.preflight(call, prompt, sized.input))  # it fits; room left for passages
            found = entry.saw(await self.cache(call, prompt))
            answers = self._answers(call, entry, prompt, plan, found)
            answers = self.cache.shared(call, found, answers)  # identical calls are answered once
            async with aclosing(answers):
                async for answer in answers:
                    yield answer

    async def _answers(
        self, call: Call, entry: Entry, prompt: Prompt, plan: Plan, found: Hit | Miss
    ) -> AsyncGenerator[Answer, None]:
        if isinstance(found, Hit):
            await entry.hold(plan.usage if self.cache.charges else None)  # a hit costs the request, no tokens
            basis: Hit | Packed = found
            kept = found.given.events(call)
            source: AsyncGenerator[Given, None] = self.guard.said(call, kept, prompt.format.structured)
        else:
            await entry.hold(plan.usage)  # set aside before it is spent
            basis = entry.saw(await self.retrieve(call, prompt, plan))
            source = self.finish(call, basis, plan)  # routes, as often as it takes to have one that may be given
        hit = Fold() if isinstance(found, Hit) else None
        whole: Completion | None = None
        judged: Verdict | None = None
        async with aclosing(source):
            async for event in source:
                if isinstance(event, Verdict):
                    judged = entry.saw(event)
                    continue
                if isinstance(event, Packed):  # it was shortened, repaired or asked of another model
                    basis = entry.saw(event)
                    continue
                if isinstance(event, Completion):
                    whole = event
                    continue
                entry.observe(event)  # usage so far: a hang-up is priced exactly
                if hit:
                    hit.add(event)
                match event:
                    case Start():
                        yield entry.opened(event)
                    case Deltas():
                        if event.pieces:  # without any it only says what was used
                            yield event
                    case End():
                        whole = honest(hit.completion()) if hit else whole
                        assert whole
                        verdict = entry.saw(await self.check(call, basis, whole, judged))  # what it cites
                        await self.cache.keep(call, found, whole, verdict)
                        closed = await entry.finish(whole)
                        if not isinstance(found, Hit):
                            self.after(call, prompt, plan)  # before its client may leave
                        yield closed
