"""What a comparison looks like in numbers, for a pool's own model: no text, no vector, a few dozen bytes. Pure.

Told by VERSION, the first number: features of another version are no input for today's model. Frequencies of words
(idf) are not among them: to know how rare a word is in a pool, its questions would have to be kept.
"""

from collections.abc import Sequence
from math import log, log1p
from typing import Final, get_args

from gateway.similarity.comparison import Comparison, Relation
from gateway.similarity.prior import AROUND, NO_RIVAL
from gateway.similarity.reading import Reading
from gateway.similarity.verdict import Other

Features = tuple[float, ...]

VERSION: Final = 1.0
DIGITS: Final = 4  # decimals that are kept
_RELATIONS: Final = get_args(Relation)
NAMES: Final = (
    "similarity", "rival", "support", "exchanged", "exchanged share", "added", "added share", "shared", "overlap",
    "length", "size", *_RELATIONS,
)  # fmt: skip


def features(
    a: Reading, b: Reading, words: Comparison, relation: Relation, similarity: float, others: Sequence[Other]
) -> Features:
    """VERSION, then one number for each of NAMES.

    `rival` is the similarity of the nearest question with another answer, `support` how many nearby have the same;
    counts of words as logarithms, `length` the ratio of content words, either way, and `size` their mean.
    """
    around, size = others[:AROUND], max(words.size, 1.0)
    rival = max((other.similarity for other in around if not other.same), default=NO_RIVAL)
    numbers = (
        similarity,
        max(rival, NO_RIVAL),
        sum(other.same for other in around),
        log1p(words.exchanged),
        words.exchanged / size,
        log1p(words.added),
        words.added / size,
        log1p(words.shared),
        words.overlap,
        abs(log((1 + len(a.content)) / (1 + len(b.content)))),
        log(size),
        *(float(relation == one) for one in _RELATIONS),
    )
    return VERSION, *(round(number, DIGITS) for number in numbers)


def known(found: Features) -> bool:
    """Whether a model of today reads them."""
    return len(found) == 1 + len(NAMES) and found[0] == VERSION
