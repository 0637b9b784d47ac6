"""A question's candidates: what the components of an index rank, rated together.

Knows no floor and no reader: who asks is in the query's scope, which the index keeps to.

Invariant: each candidate has its cosine, whichever component found it; only its BM25 score can be missing, and is then
lower than that of all that were ranked.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from retrieval.passage import Found
from retrieval.protocols import Index, Ranked, Rows
from retrieval.query import Query, Vectors
from retrieval.search.calibration import likely
from retrieval.search.fusion import closer, fused, shares

# Passages that each component ranks for each view. Fused nDCG@10 on mtRAG-UN with 30, 50, 100 and 200: .899, .901, .906
# and .908; each costs the copy of its vector.
DEPTH: Final = 100
CANDIDATES: Final = 50  # what a reranker rates at most; ten times what is packed


def candidates(index: Index, query: Query, k: int = CANDIDATES) -> list[Found]:
    """At most `k` passages that the query's scope may see, the most probable first."""
    depth = max(k, DEPTH)
    dense = [index.dense(vector, depth, query.scope) for vector in query.vectors]
    lexical = [index.lexical(view, depth, query.scope) for view in query.views]
    rows: Rows = np.unique(np.concatenate([ranked.rows for ranked in (*dense, *lexical)]))
    if not len(rows):
        return []
    vectors, question = index.vectors(rows.tolist()), query.vectors.mean(axis=0)
    words = [_spread(ranked, rows) for ranked in lexical]
    share = np.mean([shares(*pair, len(index)) for pair in zip(words, query.views, strict=True)], axis=0)
    scores = fused(vectors @ question, share)
    order = np.argsort(-fused(vectors @ closer(question, vectors, scores), share), kind="stable")[:k]
    parts = _parts(vectors[order] @ query.vectors[0], words[0][order])
    # The feedback tells which passage is better, not how good it is: the probabilities are those of the first scores.
    probable = np.sort(likely(scores[order]))[::-1].tolist()
    passages = index.passages(rows[order].tolist())
    return [Found(*fields) for fields in zip(passages, probable, parts, rows[order].tolist(), strict=True)]


def _spread(ranked: Ranked, rows: Rows) -> Vectors:
    """Scores by the order of `rows`, which are sorted; 0 for those that are not ranked."""
    scores = np.zeros(len(rows), np.float32)
    scores[np.searchsorted(rows, ranked.rows)] = ranked.scores
    return scores


def _parts(cosines: Vectors, lexical: Vectors) -> Sequence[dict[str, float]]:
    """Of the question by itself."""
    pairs = zip(cosines.tolist(), lexical.tolist(), strict=True)
    return [{"dense": cosine} | ({"lexical": score} if score else {}) for cosine, score in pairs]
