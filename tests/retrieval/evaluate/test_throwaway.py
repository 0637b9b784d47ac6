"""throwaway: a corpus as a collection, built once."""

from pathlib import Path

from retrieval.embed import Embedder
from retrieval.evaluate import collection, read
from retrieval.query import Query
from retrieval.search import candidates
from tests.retrieval.evaluate.folders import CORPUS, written


def test_a_corpus_is_built_once_and_another_one_beside_it(tmp_path: Path, embedder: Embedder) -> None:
    told: list[tuple[int, int]] = []
    judged, changed = read(written(tmp_path / "a")), read(written(tmp_path / "b", corpus=CORPUS | {"x": "Other."}))
    first = collection(judged, embedder, tmp_path / "cache", lambda done, total: told.append((done, total)))
    again = collection(judged, embedder, tmp_path / "cache", lambda done, total: told.append((done, total)))
    assert told == [(2, 2)]
    assert again.version == first.version
    assert len(collection(changed, embedder, tmp_path / "cache", lambda done, total: None)) == 3


def test_a_damaged_one_is_built_anew(tmp_path: Path, embedder: Embedder) -> None:
    judged = read(written(tmp_path / "a"))
    first = collection(judged, embedder, tmp_path / "cache", lambda done, total: None)
    (kept,) = (tmp_path / "cache").iterdir()
    (kept / first.version / "manifest.json").write_text("{}")
    again = collection(judged, embedder, tmp_path / "cache", lambda done, total: None)
    assert len(again) == len(first)


def test_title_and_text_are_the_document_and_one_may_be_blank(tmp_path: Path, embedder: Embedder) -> None:
    corpus = {"zeppelins": "Airships.", "volcanoes": " ", " ": ""}
    judged = read(written(tmp_path / "a", corpus=corpus, grades={("q1", "zeppelins"): 1}))
    index = collection(judged, embedder, tmp_path / "cache", lambda done, total: None)
    found = {}
    for word in ("zeppelins", "volcanoes"):
        found[word] = candidates(index, Query((word,), embedder.ask([word])))[0].passage
    assert found["zeppelins"].embedded == "Zeppelins\nAirships."
    assert found["volcanoes"].document == "volcanoes"
    assert len(index) == 2
