"""The semantic tier: of the nearest kept questions the first whose answer may be served, and what speaks against them.

Where the prior serves none, a verifier may be asked about those that it does not forbid: it reads both questions, and
has a deadline. Knows no policy: whoever asks has found that similarity may decide. Invariant: candidates are of the
slot's partition.
"""

import asyncio
from collections.abc import Mapping, Sequence
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
from gateway.similarity import NEAR, Decision, Judge, Other
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

    async def embedded(self, slot: Slot) -> Slot:
        """The slot with the vector of its question, if the embedder reads that whole."""
        vectors = await whole(self._embedder, [slot.question])
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
        """The first that the prior serves; else what is to be said of all of them."""
        known, judge = await self._evidence.of(slot.pool, says.kind), _judge(self._most, says)
        around = await self._around(nearest, at) if says.kind == "closed" else {}
        refused: list[tuple[_Candidate, Decision]] = []
        for key, score in nearest:
            candidate = around.get(key) if around else await self._candidate(key, score, at)
            if candidate is None or score < LEAST:
                continue
            others = _others(candidate, around)
            asked = candidate.entry.question, slot.question, score
            decision = judge.decide(*asked, known.calibration, others, known.correction)
            if decision.hit:
                return _hit(candidate, at, slot.pool, decision)
            refused.append((candidate, decision))
        if not refused:
            return Nearest("the nearest question's answer has expired", nearest[0][1])
        return await self._unserved(slot, says, at, refused)

    async def _unserved(
        self, slot: Slot, says: Cache, at: float, refused: Sequence[tuple[_Candidate, Decision]]
    ) -> Hit | Nearest:
        """What the verifier serves; else what speaks against the nearest, and what came nearest to a hit."""
        nearest, said = refused[0]
        against = "the nearest question does not stand for this one: " + "; ".join(said.reasons)
        near = [
            (candidate.entry.question, replace(_hit(candidate, at, slot.pool, decision), near=True))
            for candidate, decision in sorted(refused, key=lambda one: -one[1].probability)
            if decision.probability >= NEAR
        ]
        if not near:
            return Nearest(against, nearest.score)
        best = near[0][1]
        if self._verifier is not None:
            try:
                best = await self._verifier.best(slot, says.kind, near)
            except RerankerUnavailable as error:
                against = f"{against}; not verified: {error}"
        return Nearest(against, nearest.score, best) if best.near else best

    async def _around(self, nearest: Sequence[tuple[str, float]], at: float) -> dict[str, _Candidate]:
        """All candidates by key: where few answers are given to many questions, those nearby tell whether a candidate's
        answer is the one that is given here."""
        found = await asyncio.gather(*(self._candidate(key, score, at) for key, score in nearest))
        return {candidate.entry.key: candidate for candidate in found if candidate}

    async def _candidate(self, key: str, score: float, at: float) -> _Candidate | None:
        entry = await self._answers.get(key, at)
        if entry is None:
            self._neighbours.remove(key)
            return None
        return _Candidate(score, entry)


def _others(candidate: _Candidate, around: Mapping[str, _Candidate]) -> list[Other]:
    """The other candidates, and whether their answers are the same as this one's."""
    return [
        Other(other.score, equal(candidate.kept.completion, other.kept.completion))
        for other in around.values()
        if other is not candidate
    ]


@lru_cache(64)
def _judge(most: float, says: Cache) -> Judge:
    return Judge(most, says.kind, says.names)


def _hit(candidate: _Candidate, at: float, pool: str, decision: Decision) -> Hit:
    entry = candidate.entry
    return Hit(
        "semantic", candidate.kept, candidate.score, at - entry.created, entry.key, pool,
        decision.probability, decision.reasons, learned=decision.learned, features=decision.features,
    )  # fmt: skip
