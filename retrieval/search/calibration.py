"""What a fused score says: the probability that its passage answers the question.

Invariant: a passage's probability rises with its score and depends on nothing else.
"""

from typing import Final

import numpy as np

from retrieval.query import Vectors

# A logistic regression on the ten best passages of each question of mtRAG-UN (Apache-2.0; by the last turn alone, and
# in its conversation) and XQuAD (CC BY-SA 4.0; with the paragraph that answers, without it, without its whole article).
# `benchmarks.retrieval_fit` fits it anew.
INTERCEPT: Final = -6.72
SLOPE: Final = 8.7
# A passage that is less probable is not shown. See the curve in README.md, "Retrieval".
FLOOR: Final = 0.05


def likely(scores: Vectors) -> Vectors:
    """Probabilities of fused scores."""
    return np.asarray(1 / (1 + np.exp(-(INTERCEPT + SLOPE * scores))), np.float32)
