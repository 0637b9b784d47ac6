"""Judged questions as the benchmarks of retrieval ask them: what each finds, kept for arithmetic of another kind.

Knows files and collections; nothing of what is measured.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from retrieval.embed import Embedder
from retrieval.evaluate import Judged, Question, Results, Text, collection, evaluate
from retrieval.protocols import Index
from retrieval.query import Query, Vectors
from retrieval.search import views
from retrieval.search.candidates import Pool, pooled
from retrieval.search.fusion import fused

BEST: Final = 10  # passages of a question that its probabilities are looked at for
PARAGRAPHS: Final = "xquad"  # whose ids are article-paragraph, so that an answer can be taken away


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: what was found for it, whose passages these are, and which documents are relevant."""

    pool: Pool
    documents: NDArray[np.object_]
    grades: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Set:
    """One way to ask the questions of a file, `source`; `asked` are the answerable ones, then the others."""

    name: str
    source: str
    judged: Judged
    results: Results
    asked: Sequence[Asked]

    @property
    def answerable(self) -> Sequence[Asked]:
        return self.asked[: len(self.judged.questions)]

    @property
    def unanswerable(self) -> dict[str, Sequence[Asked]]:
        """By why: as people judged, or because what answers was taken away."""
        found = {"as judged": self.asked[len(self.judged.questions) :]} if self.judged.unanswerable else {}
        if self.source == PARAGRAPHS:
            found["without the paragraph"] = [_without(one, set(one.grades)) for one in self.answerable]
            found["without the article"] = [_without(one, _articles(one)) for one in self.answerable]
        return found


def load(folder: Path, cache: Path) -> list[Set]:
    """Every `retrieval_*.jsonl.gz`, searched; one whose questions have a history twice, the second time with it."""
    embedder = Embedder()
    try:
        return [one for path in sorted(folder.glob("retrieval_*.jsonl.gz")) for one in _sets(path, embedder, cache)]
    finally:
        embedder.close()


def first_scores(question: Asked) -> Vectors:
    """Of the best passages, in falling order; what probabilities are made of."""
    return np.sort(_scores(question))[::-1][:BEST]


def first_relevant(question: Asked) -> NDArray[np.bool_]:
    """Whether these passages are of a relevant document."""
    order = np.argsort(-_scores(question), kind="stable")[:BEST]
    return np.array([document in question.grades for document in question.documents[order]], np.bool_)


def _scores(question: Asked) -> Vectors:
    return fused(question.pool.vectors @ question.pool.question, question.pool.share)


def _sets(path: Path, embedder: Embedder, cache: Path) -> list[Set]:
    source, judged = path.name.removeprefix("retrieval_").removesuffix(".jsonl.gz"), _read(path)
    index = collection(judged, embedder, cache, lambda done, total: print(f"{source}: {done}/{total}", flush=True))
    alone = _alone(judged)
    ways = {source: alone} | ({f"{source}, conversation": judged} if judged != alone else {})
    return [_set(name, source, way, index, embedder) for name, way in ways.items()]


def _read(path: Path) -> Judged:
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    queries = {
        Question(row["query"], row["text"], tuple(row.get("history", ()))): row["rel"] for row in rows if "query" in row
    }
    corpus = tuple(Text(row["doc"], row["title"], row["text"]) for row in rows if "doc" in row)
    return Judged(
        corpus=corpus,
        questions=tuple(question for question, grades in queries.items() if grades),
        unanswerable=tuple(question for question, grades in queries.items() if not grades),
        grades={question.id: grades for question, grades in queries.items() if grades},
    )


def _alone(judged: Judged) -> Judged:
    questions, unanswerable = (
        tuple(replace(question, history=()) for question in some) for some in (judged.questions, judged.unanswerable)
    )
    return replace(judged, questions=questions, unanswerable=unanswerable)


def _set(name: str, source: str, judged: Judged, index: Index, embedder: Embedder) -> Set:
    results = evaluate(index, embedder, judged, lambda done, total: None)
    every = (*judged.questions, *judged.unanswerable)
    return Set(
        name, source, judged, results, [_asked(one, judged.grades.get(one.id, {}), index, embedder) for one in every]
    )


def _asked(question: Question, grades: Mapping[str, int], index: Index, embedder: Embedder) -> Asked:
    texts = views(question.text, question.history)
    pool = pooled(index, Query(texts, embedder.ask(texts)))
    documents = [passage.document for passage in index.passages(pool.rows.tolist())]
    return Asked(pool, np.array(documents, object), grades)


def _articles(question: Asked) -> set[str]:
    """All paragraphs of the articles that answer."""
    named = {document.split("-")[0] for document in question.grades}
    return {document for document in question.documents if document.split("-")[0] in named}


def _without(question: Asked, documents: set[str]) -> Asked:
    kept = np.array([document not in documents for document in question.documents], np.bool_)
    pool = question.pool
    left = Pool(pool.rows[kept], pool.vectors[kept], pool.lexical[kept], pool.share[kept], pool.question)
    return Asked(left, question.documents[kept], {})
