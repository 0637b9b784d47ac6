"""Questions through an index, and what came of it: each component, the plain fusions and ours, measured alike.

Invariants: all rank the same passages by the same vectors; every mean is over the same questions; unanswerable ones
enter none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

import numpy as np

from retrieval.evaluate.beir import Judged, Question
from retrieval.evaluate.metrics import interval, ndcg, recall, reciprocal_rank
from retrieval.evaluate.rankings import COMPONENTS, FUSED, PLAIN, Rankings, Scores, rankings
from retrieval.protocols import Embeds, Index
from retrieval.query import Query
from retrieval.search import views

CUTS: Final = (1, 2, 3, 5, 10, 20)  # where nDCG is taken
MAIN: Final = 10  # the cut of BEIR's tables
# Unanswerable questions that are searched for, the first ones: a folder may hold 100,000 queries of other splits.
UNANSWERABLE: Final = 1000

Report = Callable[[int, int], None]
"""Told how many questions of how many are done."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Of one ranking of one question."""

    ndcg: Mapping[int, float]
    recall: float
    reciprocal_rank: float


@dataclass(frozen=True, slots=True)
class Results:
    """By component, in their order: the `measures` of each question with a relevant document, and the `seconds` of
    each question searched. `embedding` are the seconds of each question's views. `fused` are the final rankings of all
    questions by id; `answerable` and `unanswerable` the scores of their first passages, 0 where nothing was found."""

    measures: Mapping[str, Sequence[Measures]]
    seconds: Mapping[str, Sequence[float]]
    embedding: Sequence[float]
    fused: Mapping[str, Scores]
    answerable: Sequence[float]
    unanswerable: Sequence[float]

    def rows(self) -> list[dict[str, str | float | None]]:
        """A table: a row for each component, means at 10 with their 95% limits, milliseconds of one search."""
        return [
            {"component": name, **_means(of), **_latency(self.seconds.get(name))} for name, of in self.measures.items()
        ]

    def lead(self, component: str) -> tuple[float, float, float]:
        """By how much nDCG@10 of the fused ranking is ahead of a component's: the mean, and its 95% limits, paired by
        question."""
        pairs = zip(self.measures[FUSED], self.measures[component], strict=True)
        ahead = [ours.ndcg[MAIN] - theirs.ndcg[MAIN] for ours, theirs in pairs]
        return (float(np.mean(ahead)), *interval(ahead))

    def by_cut(self) -> dict[str, list[tuple[float, float]]]:
        """The mean nDCG of each component at each of CUTS, for a plot."""
        return {
            name: [(cut, float(np.mean([one.ndcg[cut] for one in of]))) for cut in CUTS]
            for name, of in self.measures.items()
        }


def evaluate(index: Index, embedder: Embeds, judged: Judged, report: Report) -> Results:
    """Ask every question, one after the other. Blocks. Raises EmbedderUnavailable."""
    asked = (*judged.questions, *judged.unanswerable[:UNANSWERABLE])
    measures: dict[str, list[Measures]] = {name: [] for name in (*COMPONENTS, *PLAIN, FUSED)}
    seconds: dict[str, list[float]] = {name: [] for name in (*COMPONENTS, FUSED)}
    embedding: list[float] = []
    fused: dict[str, Scores] = {}
    for done, question in enumerate(asked, 1):
        found, took = _asked(index, embedder, question)
        embedding.append(took)
        fused[question.id] = found.documents[FUSED]
        for name, spent in found.seconds.items():
            seconds[name].append(spent)
        if grades := judged.grades.get(question.id):
            for name, documents in found.documents.items():
                measures[name].append(_measures(list(documents), grades))
        report(done, len(asked))
    tops = [next(iter(scores.values()), 0.0) for scores in fused.values()]
    answerable, unanswerable = tops[: len(judged.questions)], tops[len(judged.questions) :]
    return Results(measures, seconds, embedding, fused, answerable, unanswerable)


def _asked(index: Index, embedder: Embeds, question: Question) -> tuple[Rankings, float]:
    """What a question finds, and the seconds that its embedding took."""
    texts = views(question.text, question.history)
    started = perf_counter()
    vectors = embedder.ask(texts)
    took = perf_counter() - started
    return rankings(index, Query(texts, vectors)), took


def _measures(ranked: Sequence[str], grades: Mapping[str, int]) -> Measures:
    by_cut = {cut: ndcg(ranked, grades, cut) for cut in CUTS}
    return Measures(by_cut, recall(ranked, grades, MAIN), reciprocal_rank(ranked, grades))


def _means(of: Sequence[Measures]) -> dict[str, float]:
    gains = [one.ndcg[MAIN] for one in of]
    low, high = interval(gains)
    return {
        f"ndcg@{MAIN}": round(float(np.mean(gains)), 4),
        "low": round(low, 4),
        "high": round(high, 4),
        f"recall@{MAIN}": round(float(np.mean([one.recall for one in of])), 4),
        "mrr": round(float(np.mean([one.reciprocal_rank for one in of])), 4),
    }


def _latency(seconds: Sequence[float] | None) -> dict[str, float | None]:
    """Of the plain fusions there is none: they are arithmetic over what the components found."""
    if not seconds:
        return {"p50_ms": None, "p99_ms": None}
    p50, p99 = np.quantile(seconds, (0.5, 0.99)) * 1000
    return {"p50_ms": round(float(p50), 2), "p99_ms": round(float(p99), 2)}
