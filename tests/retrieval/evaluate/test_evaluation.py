"""evaluation: questions through a collection to figures, with the real embedder."""

import pytest

from retrieval.embed import Embedder
from retrieval.evaluate import COMPONENTS, FUSED, PLAIN, Results, collection, evaluate, read
from tests.retrieval.evaluate.folders import GRADES, QUERIES, written


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Results:
    folder = tmp_path_factory.mktemp("eval")
    queries = {**QUERIES, "q4": {"text": "And what do they do then?", "history": ["What makes cats content?"]}}
    judged = read(written(folder / "set", queries=queries, grades={**GRADES, ("q4", "cats"): 1}))
    index = collection(judged, embedder, folder / "cache", lambda done, total: None)
    return evaluate(index, embedder, judged, lambda done, total: None)


def test_each_component_and_fusion_is_measured_on_the_same_questions(results: Results) -> None:
    rows = results.rows()
    assert [row["component"] for row in rows] == [*COMPONENTS, *PLAIN, FUSED]
    assert {len(of) for of in results.measures.values()} == {3}
    assert all(0 < float(row["ndcg@10"] or 0) <= 1 for row in rows)
    assert all(row["low"] <= row["ndcg@10"] <= row["high"] for row in rows)  # type: ignore[operator]
    timed = {row["component"] for row in rows if row["p50_ms"] is not None and row["p99_ms"] is not None}
    assert timed == {*COMPONENTS, FUSED}
    assert {len(seconds) for seconds in (*results.seconds.values(), results.embedding)} == {4}


def test_what_was_said_before_helps_the_fused_ranking(results: Results) -> None:
    assert next(iter(results.fused["q4"])) == "cats"
    assert results.measures["bm25"][2].ndcg[1] == 0, "no word of the question is in the page"


def test_unanswerable_questions_are_ranked_and_enter_no_mean(results: Results) -> None:
    assert set(results.fused) == {"q1", "q2", "q3", "q4"}
    assert (len(results.answerable), len(results.unanswerable)) == (3, 1)
    assert results.unanswerable[0] < min(results.answerable)


def test_the_lead_is_the_difference_of_the_means(results: Results) -> None:
    rows = {row["component"]: row for row in results.rows()}
    mean, low, high = results.lead("bm25")
    assert mean == pytest.approx(float(rows[FUSED]["ndcg@10"] or 0) - float(rows["bm25"]["ndcg@10"] or 0), abs=1e-4)
    assert low <= mean <= high
    assert results.lead(FUSED) == (0, 0, 0)


def test_every_cut_has_a_point_to_draw(results: Results) -> None:
    drawn = results.by_cut()
    assert list(drawn) == [row["component"] for row in results.rows()]
    assert [cut for cut, _ in drawn[FUSED]] == [1, 2, 3, 5, 10, 20]
