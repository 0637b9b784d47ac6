"""What is known before anything is observed: how similar a pair must be for its answer to be right.

A probability here is a share: of the pairs that look at least as good as this one, so many have the same answer.
Therefore the pairs with a probability of at least 1 - e are wrong in a share e of them.

Sources. The weights are fitted (`python -m benchmarks.similarity_fit`): for closed sets on BANKING77 (CC BY 4.0) and
CLINC150 (CC BY 3.0), for statements on the STS benchmark (CC BY-SA 4.0; from score 4.5 of 5 on the same). The curves
are set by hand. No weight is fitted on pairs whose terms forbid it (Quora, MSR) or that state none (medical questions);
but hands were guided by the rates on them (`python -m benchmarks.similarity`), which are thus no independent proof.
"""

from collections.abc import Sequence
from math import log, log1p
from typing import Final

from gateway.similarity.comparison import Comparison, Relation
from gateway.similarity.verdict import Other

Curve = tuple[tuple[float, float], ...]  # (evidence, probability), both rising; straight lines between

SAME: Final[Curve] = (
    (0.7, 0.5), (0.88, 0.9), (0.95, 0.95), (0.975, 0.97), (0.99, 0.99), (0.9965, 0.995), (1.0, 0.998)
)  # fmt: skip
IDENTICAL: Final = 0.998
ALIKE: Final = 0.8  # that the same words have at least; below it the embedder sees what the words do not show
SHORT: Final = 4.0  # content words; in a shorter question one function word moves the vector further
RESTATED: Final[Curve] = ((0.6, 0.3), (0.85, 0.95), (0.87, 0.97), (0.89, 0.99), (0.91, 0.995), (1.0, 0.998))
DESCRIBED: Final[Curve] = ((0.65, 0.3), (0.87, 0.95), (0.88, 0.97), (0.92, 0.99), (0.93, 0.995), (1.06, 0.998))
# A look-alike of a long case has a detail or two exchanged; who tells it anew exchanges more, which moves the vector.
REWORDED: Final = 0.015  # similarity that an exchanged content word stands for
MOST: Final = 4  # words that count so
CLOSED: Final[Curve] = ((0.5, 0.5), (0.78, 0.95), (0.82, 0.97), (0.9, 0.99), (0.95, 0.995), (1.0, 0.998))
STATEMENT: Final[Curve] = ((-4.0, 0.1), (0.0, 0.9), (0.95, 0.95), (1.0, 0.97), (1.3, 0.99), (1.8, 0.995), (8.0, 0.999))
REPORT: Final[Curve] = ((-4.0, 0.1), (-1.0, 0.9), (-0.4, 0.95), (0.3, 0.97), (0.65, 0.99), (0.8, 0.995), (8.0, 0.999))
CHANGED: Final[Curve] = ((-4.0, 0.02), (2.0, 0.6), (8.0, 0.9))
_BY_EVIDENCE: Final = {"identical": CHANGED, "statement": STATEMENT, "report": REPORT, "changed": CHANGED}

# Log-odds of a closed set: the nearest question with another answer speaks against it, each with the same one for it.
# With weights of one half of the intents the other half is served as well.
ALONE: Final = -3.22
NEARER: Final = 14.28
RIVAL: Final = 11.23
SUPPORT: Final = 0.91
AROUND: Final = 4  # other questions that are looked at
NO_RIVAL: Final = 0.4  # the similarity that stands for any lower one
BACKED: Final[Curve] = ((-4.0, 0.5), (-1.0, 0.9), (0.5, 0.95), (1.3, 0.97), (3.3, 0.99), (5.5, 0.995), (9.0, 0.998))

# Log-odds of the STS benchmark: nearness, words exchanged and added (numbers and shares of all content words).
NEAR: Final = 1.64
EXCHANGED: Final = -0.01, -1.26
ADDED: Final = -0.88, -0.22
INTERCEPT: Final = -3.75


def closed(similarity: float, others: Sequence[Other] = ()) -> float:
    """Of a closed set of answers. The words add nothing to the similarity there, but what was answered to the other
    kept questions nearby does: `others`, the nearest first."""
    if not others:
        return _along(CLOSED, similarity)
    around = others[:AROUND]
    rival = max((other.similarity for other in around if not other.same), default=NO_RIVAL)
    support = sum(other.same for other in around)
    return _along(BACKED, ALONE + NEARER * similarity - RIVAL * max(rival, NO_RIVAL) + SUPPORT * support)


def opened(relation: Relation, words: Comparison, similarity: float) -> float:
    """Of questions about anything."""
    if relation == "identical" and similarity >= ALIKE:
        return IDENTICAL
    if relation == "same":
        return _along(SAME, 1 - (1 - similarity) * min(1.0, words.size / SHORT))
    if relation == "described":
        return _along(DESCRIBED, similarity + REWORDED * min(words.exchanged, MOST))
    if relation == "restated":
        return _along(RESTATED, similarity)
    return _along(_BY_EVIDENCE[relation], log_odds(words, similarity))


def log_odds(words: Comparison, similarity: float) -> float:
    """The model of the STS benchmark."""
    size = max(words.size, 1.0)
    return (
        INTERCEPT
        - NEAR * log(max(1 - similarity, 1e-3))
        + EXCHANGED[0] * log1p(words.exchanged)
        + EXCHANGED[1] * words.exchanged / size
        + ADDED[0] * log1p(words.added)
        + ADDED[1] * words.added / size
    )


def _along(curve: Curve, evidence: float) -> float:
    below = curve[0]
    if evidence <= below[0]:
        return below[1]
    for point in curve:
        if evidence <= point[0]:
            share = (evidence - below[0]) / (point[0] - below[0])
            return below[1] + share * (point[1] - below[1])
        below = point
    return below[1]
