"""A verifier: a cross-encoder reads the new question and a kept one together, where the prior alone serves nothing.

What its scores are worth depends on the model and on the questions, so it is learned, pool by pool, from those that
were answered anew and compared; before that it serves nothing. Only the order of its scores is used.

Knows no store and no policy.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gateway.caching.evidence import Learned
from gateway.caching.names import scored
from gateway.exchange import Hit, Slot, Verified
from gateway.rerank import Reranker
from gateway.similarity import Kind
from gateway.similarity.bounds import upper
from gateway.similarity.calibration import CONFIDENCE, Observed

KEPT = 5000  # observations, as the calibration keeps
STEPS = 40  # limits that are tried, at even shares of what was observed


class Scores:
    """How right the pairs are that have at least a score: `limits` rise, and so do their `probabilities`."""

    def __init__(self, limits: NDArray[np.float64], probabilities: NDArray[np.float64]) -> None:
        self._limits, self._probabilities = limits, probabilities

    @classmethod
    def of(cls, kind: Kind, observations: Sequence[Observed]) -> Self:
        """Of observations whose `probability` is the verifier's score, oldest first."""
        seen = observations[-KEPT:]
        scores = np.sort([one.probability for one in seen])
        wrong = np.sort([one.probability for one in seen if not one.right])
        limits = np.unique(scores[np.linspace(0, len(scores) - 1, STEPS).astype(int)]) if seen else scores
        counts = [(int(np.sum(wrong >= limit)), int(np.sum(scores >= limit))) for limit in limits]
        bounds = np.array([1 - upper(bad, among, CONFIDENCE) for bad, among in counts])
        return cls(limits, np.maximum.accumulate(bounds) if len(bounds) else bounds)

    def probability(self, score: float) -> float:
        """The share of the pairs that look at least as good which is right, with CONFIDENCE; 0 before any are."""
        at = int(np.searchsorted(self._limits, score, side="right"))
        return float(self._probabilities[at - 1]) if at else 0.0


class Verifier:
    """Asks the alias of a model that scores; what it has `learned` is the scores' worth, by pool. `most` is the wrong
    share of the hits that is accepted."""

    def __init__(self, reranker: Reranker, alias: str, learned: Learned[Scores], most: float) -> None:
        self._reranker, self._alias, self._learned, self._most = reranker, alias, learned, most

    async def rated(self, slot: Slot, kind: Kind, kept: str, hit: Hit) -> Hit:
        """What came near to a hit, whose question is `kept`: `near` no more where it may be served.

        Raises RerankerUnavailable, StateUnavailable.
        """
        (score,) = await self._reranker.scores(slot.question, [kept], slot.partition)
        known = await self._learned.of(scored(slot.pool, self._alias), kind)
        said = Verified(self._alias, score, known.probability(score))
        why = f"{said.model} scores the pair {said.score:.3f}, right with probability {said.probability:.4f}"
        served = said.probability >= 1 - self._most
        return replace(hit, verified=said, near=not served, reasons=(*hit.reasons, why))
