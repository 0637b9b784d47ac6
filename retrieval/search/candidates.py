"""A question's candidates: what the components of an index rank, rated together.

Knows no floor and no reader: who asks is in the query's scope, which the index keeps to.

Invariant: each candidate has its cosine, whichever component found it; only its BM25 score can be missing, and is then
lower than that of all that were ranked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Pool:
    """What any component found, by row: unit `vectors` [n, dimensions], the BM25 score `lexical` [n] of the question by
    itself, and the `share` [n], which is the mean over all views, as is the vector `question` [dimensions]."""

    rows: Rows
    vectors: Vectors
    lexical: Vectors
    share: Vectors
    question: Vectors


def candidates(index: Index, query: Query, k: int = CANDIDATES) -> list[Found]:
    """At most `k` passages that the query's scope may see, the most probable first."""
    pool = pooled(index, query, max(k, DEPTH))
    if not len(pool.rows):
        return []
    scores = fused(pool.vectors @ pool.question, pool.share)
    better = fused(pool.vectors @ closer(pool.question, pool.vectors, scores), pool.share)
    order = np.argsort(-better, kind="stable")[:k]
    # The feedback tells which passage is better, not how good it is: the probabilities are those of the first scores.
    probable = np.sort(likely(scores[order]))[::-1].tolist()
    parts = _parts(pool.vectors[order] @ query.vectors[0], pool.lexical[order])
    rows = pool.rows[order].tolist()
    return [Found(*fields) for fields in zip(index.passages(rows), probable, parts, rows, strict=True)]


def pooled(index: Index, query: Query, depth: int = DEPTH) -> Pool:
    """What the components rank among their first `depth` passages, for any view."""
    dense = [index.dense(vector, depth, query.scope) for vector in query.vectors]
    lexical = [index.lexical(view, depth, query.scope) for view in query.views]
    rows: Rows = np.unique(np.concatenate([ranked.rows for ranked in (*dense, *lexical)]))
    scores = [_spread(ranked, rows) for ranked in lexical]
    views = [shares(of, view, len(index)) for of, view in zip(scores, query.views, strict=True)]
    vectors = index.vectors(rows.tolist())
    return Pool(rows, vectors, scores[0], np.mean(views, axis=0), query.vectors.mean(axis=0))


def _spread(ranked: Ranked, rows: Rows) -> Vectors:
    """Scores by the order of `rows`, which are sorted; 0 for those that are not ranked."""
    scores = np.zeros(len(rows), np.float32)
    scores[np.searchsorted(rows, ranked.rows)] = ranked.scores
    return scores


def _parts(cosines: Vectors, lexical: Vectors) -> Sequence[dict[str, float]]:
    """Of the question by itself."""
    pairs = zip(cosines.tolist(), lexical.tolist(), strict=True)
    return [{"dense": cosine} | ({"lexical": score} if score else {}) for cosine, score in pairs]
