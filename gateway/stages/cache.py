"""Cache: an answer that was given before, or is just being given, if it may stand for this one.

Exact tier first: the same fingerprint and the same question. Identical requests that are open at the same time are
answered once (`gateway.caching.flight`). Then, where the template or the request allows it, the nearest questions of
the same partition: a decision about each, bounded by the wrong share of the hits that the settings accept
(`gateway.similarity`). A sample of these hits is answered anew and compared, and so the decision learns.

Knows no budget and no HTTP. Invariants: only complete, checked answers are kept; a lookup never crosses a partition,
and a partition names its tenant or a prompt that is declared shared; every miss says why; a store that is away is a
miss.
"""

import logging
from collections.abc import AsyncGenerator

from gateway.caching import policy
from gateway.caching.corrections import Corrections
from gateway.caching.flight import Flight
from gateway.caching.kept import packed, unpacked
from gateway.caching.making import Making
from gateway.caching.samples import Samples
from gateway.caching.similar import Nearest, Similar
from gateway.caching.slots import Slots, flight_name
from gateway.errors import CacheOnly
from gateway.exchange import Answer, Call, Hit, Miss, Prompt, Slot, Verdict
from gateway.neighbours import Neighbours
from gateway.settings import Cache as Section
from gateway.shielded import background
from gateway.state import Answers, Entry, StateUnavailable
from gateway.state.eviction import lifetime
from gateway.tracing import traced
from serving.events import Completion

log = logging.getLogger("tollgate.cache")


class Cache:
    """Finds, shares and keeps answers. `charges`: a hit costs its tokens, as if it had been made. `corrections` are
    taken here."""

    def __init__(
        self,
        section: Section,
        answers: Answers,
        slots: Slots,
        similar: Similar,
        neighbours: Neighbours,
        samples: Samples,
        making: Making,
        corrections: Corrections,
    ) -> None:
        self._section, self._answers, self._slots, self._similar = section, answers, slots, similar
        self._neighbours, self._samples, self._making = neighbours, samples, making
        self.charges, self.corrections = section.charge == "tokens", corrections

    @traced("cache")
    async def __call__(self, call: Call, prompt: Prompt) -> Hit | Miss:
        """Raises CacheOnly when the caller wants a cached answer or none, and there is none, and what an identical
        request before this one failed with."""
        try:
            found = await self._find(call, prompt)
        except StateUnavailable:
            found = Miss("the cache cannot be read just now")
        if isinstance(found, Miss) and call.options.cache == "only":
            raise CacheOnly(f"No cached answer: {found.reason}. Ask with gateway.cache `use` to have one made.")
        return found

    def shared(
        self, call: Call, found: Hit | Miss, answers: AsyncGenerator[Answer, None]
    ) -> AsyncGenerator[Answer, None]:
        """The answers to a request, to be read at once: made for all who ask the same, or read along with them."""
        if isinstance(found, Hit):
            return found.given.follow(answers) if isinstance(found.given, Flight) else answers
        return found.leads.lead(answers) if isinstance(found.leads, Flight) else answers

    async def keep(self, call: Call, found: Hit | Miss, completion: Completion, verdict: Verdict) -> None:
        """Store a complete answer in the slot that the miss named, beside the request; anything else is a no-op."""
        if isinstance(found, Hit) or found.slot is None:
            return
        keeping = None
        if policy.keepable(completion, verdict) and _own(call, found.slot):
            entry = _entry(found.slot, completion, verdict, call.at)
            with call.trace.stage("keep"):
                keeping = background(self._put(entry, found.slot))  # its client does not wait for this
        if found.instead and verdict.stop == "complete" and _own(call, found.slot):  # a refusal tells, too
            background(self._samples.learn(found.instead, found.slot.question, completion, call.at))
        if isinstance(found.leads, Flight):
            found.leads.checked(verdict, keeping)

    async def _find(self, call: Call, prompt: Prompt) -> Hit | Miss:
        if against := policy.uncached(call, prompt):
            return Miss(against)
        slot, mode = self._slots.of(call, prompt), call.options.cache
        if mode == "refresh":
            return Miss("the request says refresh", slot=await self._comparable(slot, call, prompt))
        if hit := await self._exact(slot, call.at):
            return hit
        if mode == "only":
            return await self._similarly(slot, call, prompt)
        return await self._together(slot, call, prompt)

    async def _exact(self, slot: Slot, at: float) -> Hit | None:
        entry = await self._answers.get(slot.key, at)
        if entry is None:
            return None
        background(self._used(entry.key, at))
        return Hit("exact", unpacked(entry.body), 1.0, at - entry.created, entry.key, slot.pool)

    async def _together(self, slot: Slot, call: Call, prompt: Prompt) -> Hit | Miss:
        """With whoever asks the same just now: one looks further and makes the answer, the others wait for it."""
        name = flight_name(call, prompt, slot)
        if flight := self._making.flight(name):
            if await self._answers.purged(slot.tags, flight.since):
                self._making.forget(name, flight)
                return await self._together(slot, call, prompt)
            if self._making.flight(name) is not flight:  # it is over, and what it made is kept
                return await self._exact(slot, call.at) or await self._together(slot, call, prompt)
            turn = await flight.turn()
            if isinstance(turn, Hit) and turn.kind == "semantic" and self._uncompared(call, prompt):
                return await self._together(slot, call, prompt)  # the others may have a similar question's answer
            if isinstance(turn, Hit):
                return turn
            if turn == "follow":
                return Hit("exact", flight, 1.0, 0.0, slot.key, slot.pool, shared=True, model=flight.model)
            flight.since = call.at
        else:
            flight = self._making.open(name, call.at)
        try:
            made = await self._making.claimed(name, lambda: self._exact(slot, call.at))
            found = made or await self._similarly(slot, call, prompt)
        except BaseException:
            flight.give_up()
            raise
        if isinstance(found, Hit):
            flight.found(found)
            return found
        return Miss(found.reason, found.score, found.slot, flight, found.instead)

    async def _similarly(self, slot: Slot, call: Call, prompt: Prompt) -> Hit | Miss:
        against = self._uncompared(call, prompt)
        if against:
            return Miss(against, slot=slot)
        slot = await self._similar.embedded(slot, call.caller.tenant)
        found = await self._similar.find(slot, policy.of(prompt), call.at)
        if isinstance(found, Nearest):
            return Miss(found.reason, found.score, slot, instead=self._samples.compared(found.near))
        if why := self._samples.anew(call, found):
            return Miss(why, found.score, slot, instead=found)
        background(self._used(found.entry, call.at))
        return found

    async def _comparable(self, slot: Slot, call: Call, prompt: Prompt) -> Slot:
        return slot if self._uncompared(call, prompt) else await self._similar.embedded(slot, call.caller.tenant)

    def _uncompared(self, call: Call, prompt: Prompt) -> str | None:
        if self._section.semantic == "off":
            return "no equal request, and similarity is off"
        return policy.uncompared(call, prompt)

    async def _put(self, entry: Entry, slot: Slot) -> None:
        try:
            await self._answers.put(entry)
        except StateUnavailable as error:
            log.warning("an answer could not be kept: %s", error)
            return
        self._neighbours.add(slot)

    async def _used(self, key: str, at: float) -> None:
        try:
            await self._answers.used(key, at)
        except StateUnavailable as error:
            log.warning("the use of an answer could not be noted: %s", error)


def _own(call: Call, slot: Slot) -> bool:
    """A fallback's answer is none of the model that was asked."""
    route = call.trace.last("route")
    return route is None or f"model:{route.facts['model']}" in slot.tags


def _entry(slot: Slot, completion: Completion, verdict: Verdict, at: float) -> Entry:
    usage = completion.usage
    return Entry(
        slot.key, slot.partition, packed(completion, verdict), at, at + lifetime(slot.ttl_s, slot.key),
        slot.vector, slot.tags, slot.question, usage.total_tokens if usage else 0,
    )  # fmt: skip
