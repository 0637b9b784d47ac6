"""A question's candidates: what the components of an index rank, fused into one list."""

from typing import Final

import numpy as np

from retrieval.passage import Found
from retrieval.protocols import Index, Ranked
from retrieval.query import Query

CANDIDATES: Final = 50


def candidates(index: Index, query: Query, k: int = CANDIDATES) -> list[Found]:
    """At most `k` passages that the query's scope may see, the most relevant first. Blocks: run it in a thread."""
    dense = [index.dense(vector, k, query.scope) for vector in query.vectors]
    lexical = index.lexical(query.views[0], k, query.scope)
    mixed: dict[int, float] = {}
    for ranked in (*dense, lexical):
        for row, share in zip(ranked.rows.tolist(), _shares(ranked), strict=True):
            mixed[row] = mixed.get(row, 0.0) + share / (len(dense) + 1)
    rows = sorted(mixed, key=lambda row: (-mixed[row], row))[:k]
    return [Found(passage, mixed[row], {}, row) for row, passage in zip(rows, index.passages(rows), strict=True)]


def _shares(ranked: Ranked) -> list[float]:
    if not len(ranked.rows):
        return []
    low, high = float(ranked.scores.min()), float(ranked.scores.max())
    shares = (ranked.scores - low) / (high - low) if high > low else np.ones_like(ranked.scores)
    return [float(share) for share in shares]
