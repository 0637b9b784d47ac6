"""Which of the candidates are shown: those over the floor, without those that only repeat what a better one says."""

from collections.abc import Sequence
from dataclasses import replace

from retrieval.passage import Found
from retrieval.protocols import Index
from retrieval.search.floor import FLOOR


def reranked(found: Sequence[Found], scores: Sequence[float]) -> list[Found]:
    """Ordered by a cross-encoder's `scores`, one for each. It says which is better, not how good: the probabilities are
    those of the first ranking, the highest for the new first."""
    rated = sorted(zip(found, scores, strict=True), key=lambda pair: -pair[1])
    likely = sorted((one.score for one in found), reverse=True)
    return [
        replace(one, score=score, parts={**one.parts, "rerank": rating})
        for (one, rating), score in zip(rated, likely, strict=True)
    ]


def chosen(index: Index, found: Sequence[Found], top_k: int, floor: float = FLOOR) -> list[Found]:
    """At most `top_k` of the candidates, best first, all at least as probable as `floor`."""
    return [one for one in found if one.score >= floor][:top_k]
