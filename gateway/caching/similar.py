"""The semantic tier: of the nearest kept questions the most probable, if its answer may be served, and what speaks
against it.

Where the prior does not serve it and does not forbid it, a verifier may be asked: it reads both questions, and has a
deadline. Knows no policy: whoever asks has found that similarity may decide. Invariant: candidates are of the
slot's partition.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from gateway.caching.agreement import equal
from gateway.caching.evidence import Evidence
from gateway.caching.kept import Kept, unpacked
from gateway.caching.vectors import whole
from gateway.caching.verifier import Verifier
from gateway.exchange import Hit, Slot
from gateway.neighbours import Neighbours
from gateway.rerank import RerankerUnavailable
from gateway.similarity import NEAR, Decision, Judge, Kind, Other
from gateway.state import Answers, Entry
from prompts.front import Cache
from retrieval.embed import Embedder

CANDIDATES = 5
# Below it no entry is read to be judged: of question pairs that near not 7 in 10 mean the same (QQP at 0.80).
LEAST = 0.7


@dataclass(frozen=True, slots=True)
class Nearest:
    """Of the nearest question: its cosine, and why its answer is not served. `near` is what came near to a hit."""

    reason: str
    score: float | None = None
    near: Hit | None = None


class _Candidate:
    """A kept question, its cosine with the new one, and its answer, which is read from its bytes once, if at all."""

    def __init__(self, score: float, entry: Entry) -> None:
        self.score, self.entry = score, entry

    @cached_property
    def kept(self) -> Kept:
        return unpacked(self.entry.body)


class Similar:
    """Looks for hits of similar questions at an accepted `max_error_rate`."""

    def __init__(
        self,
        answers: Answers,
        neighbours: Neighbours,
        embedder: Embedder,
        evidence: Evidence,
        verifier: Verifier | None,
        max_error_rate: float,
    ) -> None:
        self._answers, self._neighbours, self._embedder = answers, neighbours, embedder
        self._evidence, self._verifier, self._most = evidence, verifier, max_error_rate

    async def embedded(self, slot: Slot, tenant: str) -> Slot:
        """The slot with the vector of its question, if the embedder reads that whole."""
        vectors = await whole(self._embedder, [slot.question], tenant)
        return slot if vectors is None else replace(slot, vector=vectors[0].tobytes())

    async def find(self, slot: Slot, says: Cache, at: float) -> Hit | Nearest:
        """A hit for an embedded slot. Raises StateUnavailable."""
        if slot.vector is None:
            return Nearest("the embedder cannot read the question whole")
        vector = np.frombuffer(slot.vector, np.float32)
        nearest = await self._neighbours.nearest(slot.partition, vector, at, CANDIDATES)
        if not nearest:
            return Nearest("no earlier question of this kind")
        if nearest[0][1] < LEAST:
            score = nearest[0][1]
            return Nearest(f"the nearest question is not similar: {score:.3f} is below {LEAST:g}", score)
        return await self._judged(slot, says, at, nearest)

    async def _judged(self, slot: Slot, says: Cache, at: float, nearest: Sequence[tuple[str, float]]) -> Hit | Nearest:
        """The most probable of all, if it may be served. It alone is served, compared and verified: what is learned of
        one choice says nothing of another's."""
        judged = await self._decisions(slot, says, at, nearest)
        if not judged:
            return Nearest("the nearest question's answer has expired", nearest[0][1])
        candidate, decision = max(judged, key=lambda one: one[1].probability)
        hit = _hit(candidate, at, slot.pool, decision)
        if decision.hit:
            return hit
        against = Nearest(_against(judged[0][1]), judged[0][0].score)
        if decision.probability < NEAR:
            return against
        near = replace(hit, near=True)
        return await self._verified(slot, says.kind, candidate.entry.question, replace(against, near=near), near)

    async def _decisions(
        self, slot: Slot, says: Cache, at: float, nearest: Sequence[tuple[str, float]]
    ) -> list[tuple[_Candidate, Decision]]:
        """Of each candidate, the nearest first."""
        known, judge = await self._evidence.of(slot.pool, says.kind), _judge(self._most, says)
        found = await self._candidates(nearest, at)

        def decided(one: _Candidate) -> Decision:
            others = _others(one, found) if says.kind == "closed" else ()
            asked = one.entry.question, slot.question, one.score
            return judge.decide(*asked, known.calibration, others, known.correction)

        return [(one, decided(one)) for one in found if one.score >= LEAST]

    async def _verified(self, slot: Slot, kind: Kind, kept: str, nearest: Nearest, near: Hit) -> Hit | Nearest:
        """What came near to a hit, with what the verifier says of it, where there is one."""
        if self._verifier is None:
            return nearest
        try:
            hit = await self._verifier.rated(slot, kind, kept, near)
        except RerankerUnavailable as error:
            return replace(nearest, reason=f"{nearest.reason}; not verified: {error}")
        return replace(nearest, near=hit) if hit.near else hit

    async def _candidates(self, nearest: Sequence[tuple[str, float]], at: float) -> list[_Candidate]:
        """The nearest first."""
        found = await asyncio.gather(*(self._candidate(key, score, at) for key, score in nearest))
        return [candidate for candidate in found if candidate]

    async def _candidate(self, key: str, score: float, at: float) -> _Candidate | None:
        entry = await self._answers.get(key, at)
        if entry is None:
            self._neighbours.remove(key)
            return None
        return _Candidate(score, entry)


def _others(candidate: _Candidate, around: Sequence[_Candidate]) -> list[Other]:
    """The other candidates, and whether their answers are the same: where few are given to many questions, those nearby
    tell whether a candidate's is the one that is given here."""
    return [
        Other(other.score, equal(candidate.kept.completion, other.kept.completion))
        for other in around
        if other is not candidate
    ]


def _against(decision: Decision) -> str:
    return "the nearest question does not stand for this one: " + "; ".join(decision.reasons)


@lru_cache(64)
def _judge(most: float, says: Cache) -> Judge:
    return Judge(most, says.kind, says.names)


def _hit(candidate: _Candidate, at: float, pool: str, decision: Decision) -> Hit:
    entry = candidate.entry
    return Hit(
        "semantic", candidate.kept, candidate.score, at - entry.created, entry.key, pool,
        decision.probability, decision.reasons, learned=decision.learned, features=decision.features,
    )  # fmt: skip
