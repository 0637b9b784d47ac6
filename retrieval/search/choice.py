"""Which of the candidates are shown: those over the floor, without those that repeat what a better one says.

Invariant: the first of what is chosen is the first of the candidates.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from retrieval.passage import Found
from retrieval.protocols import Index
from retrieval.search.calibration import FLOOR

REPETITION: Final = 0.1  # what a passage loses by saying just what another one says


def reranked(found: Sequence[Found], scores: Sequence[float]) -> list[Found]:
    """Ordered by a cross-encoder's `scores`, one for each. Its scores mean what its makers chose, so they order and no
    more: the probabilities stay those of the first ranking, the highest for the new first."""
    rated = sorted(zip(found, scores, strict=True), key=lambda pair: -pair[1])
    probable = sorted((one.score for one in found), reverse=True)
    return [
        replace(one, score=score, parts={**one.parts, "rerank": rating})
        for (one, rating), score in zip(rated, probable, strict=True)
    ]


def chosen(
    index: Index, found: Sequence[Found], top_k: int, floor: float = FLOOR, repetition: float = REPETITION
) -> list[Found]:
    """At most `top_k` (1 up) of the candidates, best first, all at least as probable as `floor`; none where nothing
    relevant was found. With `repetition` 0 they are simply the best.

    Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): the next is the most probable, less `repetition`
    times its largest cosine to one that was taken.
    """
    probable = [one for one in found if one.score >= floor]
    if len(probable) <= top_k or not repetition:
        return probable[:top_k]
    vectors = index.vectors([one.row for one in probable])
    scores = np.array([one.score for one in probable])
    taken, said = [0], vectors @ vectors[0]
    while len(taken) < top_k:
        worth = scores - repetition * said
        worth[taken] = -np.inf
        taken.append(int(worth.argmax()))
        said = np.maximum(said, vectors @ vectors[taken[-1]])
    return [probable[place] for place in sorted(taken)]
