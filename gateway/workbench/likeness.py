"""How alike the answers to one prompt are: in their words, in their meaning, and how often they are the same.

Pure. Measures over all pairs of answers, each from 0 to 1; one answer alone is like itself.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from serving.frozen import dataclass

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Likeness:
    """Of some answers. `jaccard`: mean share of words that two have in common (Jaccard 1912), `least_jaccard` that of
    the two least alike; `cosine`: mean cosine of their embeddings, None where there are none. `distinct` counts
    different texts, `consistency` is the share of the most frequent one.
    """

    jaccard: float
    least_jaccard: float
    cosine: float | None
    distinct: int
    consistency: float


def likeness(texts: Sequence[str], vectors: NDArray[np.float32] | None) -> Likeness:
    """Of at least one text; `vectors` are their unit vectors, float32 [len(texts), dimensions]."""
    words = [frozenset(_WORD.findall(text.casefold())) for text in texts]
    shared = [jaccard(one, other) for one, other in combinations(words, 2)] or [1.0]
    plain = Counter(" ".join(text.split()) for text in texts)  # a line's break more or less is no other answer
    return Likeness(
        sum(shared) / len(shared),
        min(shared),
        None if vectors is None else _cosine(vectors),
        len(plain),
        max(plain.values()) / len(texts),
    )


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Shared members over all members; two empty sets are the same."""
    return len(one & other) / len(one | other) if one or other else 1.0


def _cosine(vectors: NDArray[np.float32]) -> float:
    pairs = np.triu_indices(len(vectors), k=1)
    return float((vectors @ vectors.T)[pairs].mean()) if len(vectors) > 1 else 1.0
