"""A passage as a point of Qdrant's, and back. A point is a row.

Dense vectors are the collection's own; words are a sparse vector of BM25's weights of terms, which Qdrant multiplies
with how rare a term is. Knows no client. Invariant: labels, metadata and sections are kept as digests, so that no text
in them is special to Qdrant.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from qdrant_client import models

from retrieval.lexical import access_term, metadata_term
from retrieval.passage import Passage
from retrieval.query import Vectors

DENSE: Final = "dense"
WORDS: Final = "words"
K1, B = 1.2, 0.75  # as `retrieval.lexical`
INDEXED: Final = ("labels", "facts", "section")

Words = Callable[[str], list[str]]


def point(row: int, of: Passage, vector: Vectors, words: Words, average: float) -> models.PointStruct:
    """`average` is how many words a passage of the collection has."""
    found = Counter(map(term, words(of.embedded)))
    longer = K1 * (1 - B + B * found.total() / max(average, 1))
    weights = [count * (K1 + 1) / (count + longer) for count in found.values()]
    sparse = models.SparseVector(indices=list(found), values=weights)
    return models.PointStruct(id=row, vector={DENSE: vector.tolist(), WORDS: sparse}, payload=_payload(of))


def _payload(passage: Passage) -> dict[str, Any]:
    """What is searched by, as digests, and the passage itself."""
    place = [passage.document, *map(str, passage.section), access_term(frozenset(passage.access))]
    return {
        "labels": [digest(label) for label in passage.access],
        "facts": [metadata_term(key, value) for key, value in passage.metadata.items()],
        "section": hashlib.sha256("\0".join(place).encode()).hexdigest()[:32],
        "passage": {name: getattr(passage, name) for name in Passage.__slots__} | {"metadata": dict(passage.metadata)},
    }


def passage(payload: Any) -> Passage:
    """Of a point. Raises KeyError, TypeError or ValueError for what `point` did not make."""
    kept = payload["passage"]
    start, end = kept["section"]
    return Passage(**{**kept, "section": (start, end), "access": tuple(kept["access"])})


def digest(label: str) -> str:
    """What stands for an access label."""
    return access_term(frozenset({label}))


def term(word: str) -> int:
    """A term's dimension: 32 bits, as Qdrant's are."""
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:4])
