"""Judged retrieval in CI: the sample questions over the sample pages, whose embedding costs seconds.

The larger sets are measured by `benchmarks.retrieval_quality`.
"""

import json
from pathlib import Path

import pytest

from retrieval.collection import Collection
from retrieval.embed import Embedder
from retrieval.evaluate import COMPONENTS, FUSED, PLAIN, Judged, Question, Results, evaluate
from retrieval.search import FLOOR

QUESTIONS = [json.loads(line) for line in Path(__file__).with_name("questions.jsonl").read_text().splitlines()]
# Nothing in the pages is about these.
STRANGE = ("Who won the football cup in 1966?", "How long does a soft egg take?", "What do penguins eat in winter?")


@pytest.fixture(scope="module")
def results(samples: Collection, embedder: Embedder) -> Results:
    asked = {str(number): row for number, row in enumerate(QUESTIONS)}
    judged = Judged(
        corpus=(),
        questions=tuple(Question(id, row["question"]) for id, row in asked.items()),
        unanswerable=tuple(map(Question, STRANGE, STRANGE)),
        grades={id: {row["document"]: 1} for id, row in asked.items()},
    )
    return evaluate(samples, embedder, judged, lambda done, total: None)


def test_the_fused_ranking_is_no_worse_than_its_parts_and_the_plain_fusions(results: Results) -> None:
    found = {str(row["component"]): float(row["ndcg@10"] or 0) for row in results.rows()}
    assert found[FUSED] >= max(found[name] for name in (*COMPONENTS, *PLAIN)) - 0.002, found
    assert found[FUSED] > 0.97, found


def test_no_answerable_question_is_lost_and_strange_ones_are_recognised(results: Results) -> None:
    assert min(results.answerable) >= FLOOR
    assert max(results.unanswerable) < FLOOR, dict(zip(STRANGE, results.unanswerable, strict=True))
