"""A version that is run beside the answers and shown to nobody: what is found of it stands in the journal and the
metrics, under its own version and a name that is no tenant's.

A request is run again once it has its answer: by the same stages, with what its tenant may search and use, but in an
account of its own, and past the cache. Nobody waits for it. It is dropped where requests could feel it: AT_ONCE run at
a time, none where an engine is busy, each for SECONDS at most, and their tokens stay within an `Allowance`.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import replace

from gateway.caching.allowance import Allowance
from gateway.exchange import Call, Caller, Closed, Plan, Prompt
from gateway.ledger import Entry, Ledger
from gateway.models import Model
from gateway.pipeline import Pipeline
from gateway.settings import Canary
from gateway.tracing import Trace
from prompts.library import LATEST

log = logging.getLogger("tollgate.canary")

SHADOW = "(shadow)"  # a tenant's name has no brackets
AT_ONCE = 2  # the engines' slots are the requests'
BUSY = 4  # a quarter of the connections that an engine may have in use: requests begin to wait for each other
SECONDS = 120.0


class Unbilled(Ledger):
    """The ledger of what no tenant pays: calls are booked under SHADOW, without limits."""

    def open(self, call: Call) -> Entry:
        return Entry(self, replace(call, caller=Caller(SHADOW, SHADOW)))


class Shadows:
    """Of one edition: `pipeline` books in an `Unbilled` ledger, and tells of no shadow. `connections`: how many a
    backend may have, by its name. `draw` gives numbers between 0 and 1."""

    def __init__(
        self,
        sections: Mapping[str, Canary],
        pipeline: Pipeline,
        models: Mapping[str, Model],
        connections: Mapping[str, int],
        now: Callable[[], float],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._sections = {id: section for id, section in sections.items() if section.shadow}
        self._allowances = {id: Allowance(section.shadow_tokens) for id, section in self._sections.items()}
        self._pipeline, self._models, self._connections = pipeline, models, connections
        self._now, self._draw = now, draw
        self._tasks: set[asyncio.Task[None]] = set()

    def earn(self, tokens: int) -> None:
        """A request has used so many."""
        for allowance in self._allowances.values():
            allowance.earn(tokens)

    def after(self, call: Call, prompt: Prompt, plan: Plan) -> None:
        """A request has its answer: perhaps the shadow runs it, too. Never waits."""
        section = self._sections.get(prompt.template.id) if prompt.template else None
        if section is None or not self._wanted(section, call, prompt):
            return
        allowance, tokens = self._allowances[call.prompt.id], plan.usage.total_tokens  # type: ignore[union-attr]
        if self._busy(prompt.model) or not allowance.take(tokens):
            return
        task = asyncio.get_running_loop().create_task(self._run(_again(call, section, self._now()), allowance, tokens))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """End those that run."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _wanted(self, section: Canary, call: Call, prompt: Prompt) -> bool:
        assert call.prompt is not None
        named = call.prompt.version not in (None, LATEST)
        return not named and len(self._tasks) < AT_ONCE and self._draw() < section.shadow_share

    def _busy(self, alias: str) -> bool:
        pool = self._models[alias].pool
        backend = pool.order()[0]
        return pool.in_flight(backend) * BUSY >= self._connections[backend.name]

    async def _run(self, call: Call, allowance: Allowance, tokens: int) -> None:
        used = 0
        try:
            async with asyncio.timeout(SECONDS), aclosing(self._pipeline.run(call)) as answers:
                async for answer in answers:
                    if isinstance(answer, Closed):
                        used = answer.usage.total_tokens
        except Exception as error:  # its row says why; what it used of an answer that broke is counted as all of it
            log.info("a shadow of %s failed: %s", call.prompt and call.prompt.id, type(error).__name__)
            return
        allowance.give_back(tokens - used)


def _again(call: Call, section: Canary, at: float) -> Call:
    """The same request, of the shadow's version."""
    assert call.prompt is not None
    return replace(
        call,
        request_id=f"shadow-{secrets.token_hex(12)}",
        prompt=replace(call.prompt, version=section.shadow),
        options=replace(call.options, cache="skip", tags={"shadow_of": call.request_id}),
        stream=False,
        trace=Trace(),
        at=at,
    )
