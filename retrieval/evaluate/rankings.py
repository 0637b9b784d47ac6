"""What each component and each way of fusing makes of a question: rankings of documents.

The two plain fusions are here to be compared with, as others ship them: reciprocal rank (Cormack et al., SIGIR 2009)
and min-max mixing (Lee, SIGIR 1997; Anserini's and Weaviate's default).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Final, TypeVar

from retrieval.protocols import Index, Ranked
from retrieval.query import Query
from retrieval.search import candidates
from retrieval.search.candidates import DEPTH

RANK: Final = 60  # the constant of reciprocal rank fusion, from its paper
COMPONENTS: Final = ("bm25", "dense")
PLAIN: Final = ("rrf", "minmax")
FUSED: Final = "fused"

Scores = Mapping[str, float]  # of documents, best first
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rankings:
    """Documents with their scores, best first, by each of COMPONENTS, PLAIN and FUSED; the seconds that COMPONENTS and
    FUSED took, the question's embedding not among them."""

    documents: Mapping[str, Scores]
    seconds: Mapping[str, float]


def rankings(index: Index, query: Query) -> Rankings:
    """Of one question: the components by its first view, which is what they are in themselves, `fused` by all."""
    lexical, lexical_took = _timed(lambda: index.lexical(query.views[0], DEPTH, query.scope))
    dense, dense_took = _timed(lambda: index.dense(query.vectors[0], DEPTH, query.scope))
    found, fused_took = _timed(lambda: candidates(index, query, DEPTH))
    bm25, cosine = _documents(index, lexical), _documents(index, dense)
    fused = _best((one.passage.document, one.score) for one in found)
    plain = {"rrf": _added(_reciprocal(bm25), _reciprocal(cosine)), "minmax": _added(_ranged(bm25), _ranged(cosine))}
    return Rankings(
        {"bm25": bm25, "dense": cosine, **plain, FUSED: fused},
        {"bm25": lexical_took, "dense": dense_took, FUSED: fused_took},
    )


def _documents(index: Index, ranked: Ranked) -> Scores:
    passages = index.passages(ranked.rows.tolist())
    return _best(zip((passage.document for passage in passages), ranked.scores.tolist(), strict=True))


def _best(scored: Iterable[tuple[str, float]]) -> Scores:
    """A document scores what its best passage does, which comes first."""
    best: dict[str, float] = {}
    for document, score in scored:
        best.setdefault(document, score)
    return best


def _reciprocal(scores: Scores) -> Scores:
    return {document: 1 / (RANK + place) for place, document in enumerate(scores, 1)}


def _ranged(scores: Scores) -> Scores:
    low, high = min(scores.values(), default=0.0), max(scores.values(), default=0.0)
    return {document: (score - low) / (high - low) if high > low else 1.0 for document, score in scores.items()}


def _added(one: Scores, other: Scores) -> Scores:
    total = {document: one.get(document, 0.0) + other.get(document, 0.0) for document in [*one, *other]}
    return dict(sorted(total.items(), key=lambda item: -item[1]))


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started = perf_counter()
    return work(), perf_counter() - started
