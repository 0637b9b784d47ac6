"""The semantic tier: of the nearest kept questions the first whose answer may be served, and what speaks against them.

Knows no policy: whoever asks has found that similarity may decide. Invariant: candidates are of the slot's partition.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from gateway.caching.agreement import equal
from gateway.caching.evidence import Evidence
from gateway.caching.kept import unpacked
from gateway.exchange import Hit, Slot
from gateway.neighbours import Neighbours
from gateway.similarity import Decision, Judge, Other
from gateway.state import Answers, Entry
from prompts.front import Cache
from retrieval.embed import Embedder, EmbedderUnavailable

CANDIDATES = 5
# Below it no entry is read to be judged: of question pairs that near not 7 in 10 mean the same (QQP at 0.80).
LEAST = 0.7


@dataclass(frozen=True, slots=True)
class Nearest:
    """Of the nearest question: its cosine, and why its answer is not served."""

    reason: str
    score: float | None = None


class Similar:
    """Looks for hits of similar questions at an accepted `max_error_rate`."""

    def __init__(
        self, answers: Answers, neighbours: Neighbours, embedder: Embedder, evidence: Evidence, max_error_rate: float
    ) -> None:
        self._answers, self._neighbours, self._embedder = answers, neighbours, embedder
        self._evidence, self._most = evidence, max_error_rate

    async def embedded(self, slot: Slot) -> Slot:
        """The slot with the vector of its question, if the embedder reads that whole."""
        try:
            if not self._embedder.fits(slot.question):
                return slot
            vector = (await self._embedder.embed([slot.question]))[0]
        except EmbedderUnavailable:
            return slot
        return replace(slot, vector=vector.tobytes())

    async def find(self, slot: Slot, says: Cache, at: float) -> Hit | Nearest:
        """A hit for an embedded slot. Raises StateUnavailable."""
        if slot.vector is None:
            return Nearest("the embedder cannot read the question whole")
        vector = np.frombuffer(slot.vector, np.float32)
        nearest = await self._neighbours.nearest(slot.partition, vector, at, CANDIDATES)
        if not nearest:
            return Nearest("no earlier question of this kind")
        around = await self._around(nearest, at) if says.kind == "closed" else {}
        against: Nearest | None = None
        for key, score in nearest:
            found = await self._judged(slot, says, at, key, score, around)
            if isinstance(found, Hit):
                return found
            against = against or found
        return against or Nearest("the nearest question's answer has expired", nearest[0][1])

    async def _around(self, nearest: Sequence[tuple[str, float]], at: float) -> dict[str, tuple[float, Entry]]:
        """All candidates by key, with their cosines: where few answers are given to many questions, those nearby tell
        whether a candidate's answer is the one that is given here."""
        entries = await asyncio.gather(*(self._answers.get(key, at) for key, _ in nearest))
        return {key: (score, entry) for (key, score), entry in zip(nearest, entries, strict=True) if entry}

    async def _judged(
        self, slot: Slot, says: Cache, at: float, key: str, score: float, around: Mapping[str, tuple[float, Entry]]
    ) -> Hit | Nearest | None:
        if score < LEAST:
            return Nearest(f"the nearest question is not similar: {score:.3f} is below {LEAST:g}", score)
        entry = around[key][1] if key in around else await self._answers.get(key, at)
        if entry is None:
            self._neighbours.remove(key)
            return None
        evidence = await self._evidence.of(slot.pool, says.kind)
        judge, others = _judge(self._most, says), _others(entry, around)
        decision = judge.decide(entry.question, slot.question, score, evidence, others)
        if not decision.hit:
            return Nearest("the nearest question does not stand for this one: " + "; ".join(decision.reasons), score)
        return _hit(entry, score, at, slot.pool, decision)


def _others(entry: Entry, around: Mapping[str, tuple[float, Entry]]) -> list[Other]:
    """The other candidates, and whether their answers are the same as `entry`'s."""
    if not around:
        return []
    answer = unpacked(entry.body).completion
    return [
        Other(score, equal(answer, unpacked(other.body).completion))
        for key, (score, other) in around.items()
        if key != entry.key
    ]


@lru_cache(64)
def _judge(most: float, says: Cache) -> Judge:
    return Judge(most, says.kind, says.names)


def _hit(entry: Entry, score: float, at: float, pool: str, decision: Decision) -> Hit:
    return Hit(
        "semantic", unpacked(entry.body), score, at - entry.created, entry.key, pool,
        decision.probability, decision.reasons,
    )  # fmt: skip
