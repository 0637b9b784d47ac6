"""Cache: an answer that was given before, if it may stand for this one. Knows no budget and no HTTP.

Exact tier first: the same fingerprint and the same question. Then, where the template (or the request) allows it, the
nearest question within the same partition: similar enough, and free of the differences that similarity does not see
(`gateway.similarity.veto.py`). What the embedder cannot read whole is never compared.

Invariants: only complete, checked answers are kept; a lookup never crosses a partition, and a partition names its
tenant; every miss says why.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import numpy as np
import orjson

from gateway.errors import CacheOnly
from gateway.exchange import Call, Hit, Miss, Prompt, Slot, Verdict
from gateway.fingerprint import fingerprint
from gateway.models import Model
from gateway.neighbours import Neighbours
from gateway.settings import Cache as Section
from gateway.shielded import background
from gateway.similarity.veto import veto
from gateway.state import Answers, Entry, StateUnavailable
from gateway.tracing import traced
from retrieval.embed import Embedder, EmbedderUnavailable
from serving.events import Choice, Completion, Delta, Deltas, End, Event, Start, Stop, Usage

log = logging.getLogger("tollgate.cache")


class Cache:
    """Finds and keeps answers. `version` gives a collection's current version by name."""

    def __init__(
        self,
        section: Section,
        answers: Answers,
        embedder: Embedder,
        models: Mapping[str, Model],
        version: Callable[[str], str],
    ) -> None:
        self._section, self._answers, self._embedder, self._models = section, answers, embedder, models
        self._version = version
        self._neighbours = Neighbours(answers, section.max_partitions)

    @traced("cache")
    async def __call__(self, call: Call, prompt: Prompt) -> Hit | Miss:
        """Raises CacheOnly when the caller wants a cached answer or none, and there is none."""
        try:
            found = await self._find(call, prompt)
        except StateUnavailable:
            found = Miss("the cache cannot be read just now")
        if isinstance(found, Miss) and call.options.cache == "only":
            raise CacheOnly(f"No cached answer: {found.reason}. Ask with gateway.cache `use` to have one made.")
        return found

    async def keep(self, call: Call, found: Hit | Miss, completion: Completion, verdict: Verdict) -> None:
        """Store a complete answer in the slot that the miss named; anything else is a no-op."""
        if isinstance(found, Hit) or found.slot is None or verdict.stop != "complete" or verdict.unknown_citations:
            return
        slot, now, route = found.slot, call.at, call.trace.last("route")
        if route and f"model:{route.facts['model']}" not in slot.tags:
            return  # a fallback's answer is none of the model that was asked
        body = orjson.dumps({"completion": completion, "verdict": verdict}, default=dict)
        expires = now + self._section.ttl_s
        entry = Entry(slot.key, slot.partition, body, now, expires, slot.vector, slot.tags, slot.question)
        with call.trace.stage("keep"):
            background(self._put(entry, slot))  # the answer is whole: its client does not wait for this

    async def _put(self, entry: Entry, slot: Slot) -> None:
        try:
            await self._answers.put(entry)
        except StateUnavailable as error:
            log.warning("an answer could not be kept: %s", error)
            return
        self._neighbours.add(slot)

    async def _find(self, call: Call, prompt: Prompt) -> Hit | Miss:
        mode = call.options.cache
        if mode == "skip" or (prompt.cache == "off" and mode == "auto"):
            return Miss("the request says skip" if mode == "skip" else "caching is off for this kind of request")
        slot = self._slot(call, prompt)
        if mode == "refresh":
            return Miss("the request says refresh", slot=await self._with_vector(slot, self._compares(call, prompt)))
        entry = await self._answers.get(slot.key, call.at)
        if entry is not None:
            return _hit("exact", entry, 1.0, call.at)
        if not self._compares(call, prompt):
            return Miss("no equal request, and similarity is off for this kind of request", slot=slot)
        return await self._similar(call, await self._with_vector(slot, True))

    async def _similar(self, call: Call, slot: Slot) -> Hit | Miss:
        """The nearest question of the partition, if it is near enough and nothing speaks against it."""
        if slot.vector is None:
            return Miss("the embedder cannot read the question whole", slot=slot)
        nearest = await self._neighbours.nearest(slot.partition, np.frombuffer(slot.vector, np.float32), call.at)
        if nearest is None:
            return Miss("no earlier question of this kind", slot=slot)
        key, score = nearest
        if score < self._section.threshold:
            return Miss(f"the nearest question is below the threshold of {self._section.threshold:g}", score, slot)
        entry = await self._answers.get(key, call.at)
        if entry is None:
            self._neighbours.forget(slot.partition)  # it holds what the store no longer has
            return Miss("the nearest question's answer has expired", score, slot)
        against = veto(entry.question, slot.question)
        return (
            Miss(f"the nearest question differs in {against}", score, slot)
            if against
            else _hit("semantic", entry, score, call.at)
        )

    def _compares(self, call: Call, prompt: Prompt) -> bool:
        wanted = prompt.cache == "semantic" if call.options.semantic is None else call.options.semantic
        return wanted and prompt.question is not None and not prompt.fields.get("tools")

    def _slot(self, call: Call, prompt: Prompt) -> Slot:
        model = self._models[prompt.model]
        version = self._version(prompt.retrieve.collection) if prompt.retrieve else None
        partition, key = fingerprint(call, prompt, model.served, version, self._embedder.identity, model.max_output)
        tags = [f"tenant:{call.caller.tenant}", f"model:{prompt.model}"]
        if prompt.template:
            tags.append(f"prompt:{prompt.template.id}")
        return Slot(key, partition, None, tuple(tags), prompt.question or "")

    async def _with_vector(self, slot: Slot, compares: bool) -> Slot:
        if not compares:
            return slot
        try:
            if not self._embedder.fits(slot.question):
                return slot
            vector = (await self._embedder.embed([slot.question]))[0]
        except EmbedderUnavailable:
            return slot
        return Slot(slot.key, slot.partition, vector.tobytes(), slot.tags, slot.question)


async def replay(call: Call, hit: Hit) -> AsyncGenerator[Event, None]:
    """A kept answer as the events of a new one."""
    kept = hit.completion
    yield Start(f"chatcmpl-{call.request_id}", int(call.at), kept.start.model, kept.start.fingerprint)
    yield Deltas(tuple(_said(choice) for choice in kept.choices))
    yield End(tuple(Stop(c.index, c.finish_reason, c.stop_reason) for c in kept.choices), kept.usage)


def _said(choice: Choice) -> Delta:
    """A kept choice as one piece of a stream."""
    message = {name: value for name, value in choice.message.items() if name != "role" and value is not None}
    if calls := message.get("tool_calls"):
        message["tool_calls"] = [{"index": i, **c} for i, c in enumerate(calls)]
    return Delta(choice.index, message, choice.logprobs)


def _hit(kind: Any, entry: Entry, score: float, now: float) -> Hit:
    body = orjson.loads(entry.body)
    kept, verdict = body["completion"], body["verdict"]
    usage = Usage(**kept["usage"]) if kept["usage"] else None
    choices = tuple(Choice(**choice) for choice in kept["choices"])
    return Hit(kind, Completion(Start(**kept["start"]), choices, usage), score, now - entry.created, Verdict(**verdict))
