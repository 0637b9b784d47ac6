"""index eval: a BEIR folder to figures, a TREC run and a plot."""

from pathlib import Path

import pytest

from retrieval.search import FLOOR
from tests.gateway.cli.conftest import Tollgate
from tests.retrieval.evaluate.folders import written


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_each_component_is_measured_and_the_fused_ranking_written(
    tollgate: Tollgate, tmp_path: Path, cache: Path
) -> None:
    folder, run, plot = written(tmp_path / "set"), tmp_path / "set.run", tmp_path / "set.png"
    ran = tollgate("index", "eval", folder, "--run", run, "--plot", plot, "--cache", cache, "--json")
    assert [row["component"] for row in ran.json] == ["bm25", "dense", "rrf", "minmax", "fused"]
    assert all({"ndcg@10", "recall@10", "mrr", "low", "high", "p50_ms", "p99_ms"} <= set(row) for row in ran.json)
    assert ran.json[-1]["ndcg@10"] == 1
    assert ran.json[-1]["floors"][0] == {"floor": FLOOR, "recognised": 1, "lost": 0}
    lines = [line.split() for line in run.read_text().splitlines()]
    assert [line[:4] for line in lines][::2] == [
        ["q1", "Q0", "boats", "1"],
        ["q2", "Q0", "cats", "1"],
        ["q3", *lines[4][1:4]],
    ]
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_for_people_it_is_two_tables(tollgate: Tollgate, tmp_path: Path, cache: Path) -> None:
    ran = tollgate("index", "eval", written(tmp_path / "set"), "--cache", cache)
    assert ran.code == 0
    first, second = ran.out.split("Nothing relevant")
    assert "2 questions over 2 documents" in first
    assert second.splitlines()[1].split() == ["floor", "recognised", "lost"]


def test_without_unanswerable_questions_there_is_one(tollgate: Tollgate, tmp_path: Path, cache: Path) -> None:
    folder = written(tmp_path / "set", queries={"q1": "Why do boats float?"}, grades={("q1", "boats"): 1})
    assert "floor" not in tollgate("index", "eval", folder, "--cache", cache).out


def test_relevant_documents_that_are_missing_are_told(tollgate: Tollgate, tmp_path: Path, cache: Path) -> None:
    folder = written(tmp_path / "set", grades={("q1", "boats"): 1, ("q1", "ships"): 1})
    assert "1 relevant documents are not in the corpus" in tollgate("index", "eval", folder, "--cache", cache).out


def test_what_is_wrong_is_one_line(tollgate: Tollgate, tmp_path: Path, cache: Path) -> None:
    folder = written(tmp_path / "set")
    unwritable = tollgate("index", "eval", folder, "--run", tmp_path / "no" / "run", "--cache", cache)
    assert (unwritable.code, "No such file or directory" in unwritable.err) == (1, True)
    unknown = tollgate("index", "eval", folder, "--language", "tlh", "--cache", cache)
    assert (unknown.code, "no stemmer for language 'tlh'" in unknown.err) == (1, True)
    (folder / "qrels" / "test.tsv").unlink()
    absent = tollgate("index", "eval", folder, "--cache", cache)
    assert (absent.code, "test.tsv cannot be read" in absent.err) == (1, True)
