"""rankings: documents by each component and fusion, on a real collection."""

import numpy as np
import pytest

from retrieval.collection import Collection
from retrieval.evaluate.rankings import rankings
from retrieval.query import Query
from tests.retrieval.search.small import made, passage, unit

# Each document by the words of its passages and their cosine to the question, (1, 0).
PAGES = {
    "words": [("boats and boats", unit(1, 3)), ("nothing of it", unit(1, 9))],
    "sense": [("ships and vessels", unit(9, 1))],
    "both": [("boats and more", unit(3, 1)), ("vessels", unit(1, 5))],
    "none": [("cats purr", unit(0, 1))],
}


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    some = [(passage(text, page, start), v) for page, of in PAGES.items() for start, (text, v) in enumerate(of)]
    return made(tmp_path_factory.mktemp("c") / "pages", some)


def test_a_document_ranks_where_its_best_passage_does(collection: Collection) -> None:
    found = rankings(collection, Query(("boats",), unit(1, 0)[None])).documents
    assert list(found["bm25"]) == ["words", "both"]
    assert list(found["dense"]) == ["sense", "both", "words", "none"]
    assert np.isclose(found["dense"]["both"], unit(3, 1)[0], atol=1e-3)
    assert next(iter(found["fused"])) == "both"
    assert sorted(found["fused"]) == sorted(PAGES)


def test_the_plain_fusions_are_those_of_their_papers(collection: Collection) -> None:
    found = rankings(collection, Query(("boats",), unit(1, 0)[None])).documents
    assert np.isclose(found["rrf"]["both"], 1 / 62 + 1 / 62)
    assert np.isclose(found["rrf"]["sense"], 1 / 61)
    assert np.isclose(found["minmax"]["words"], 1 + unit(1, 3)[0] / unit(9, 1)[0], atol=1e-2)
    assert all(list(found[name].values()) == sorted(found[name].values(), reverse=True) for name in found)


def test_a_question_without_a_known_word_is_ranked_by_its_vector(collection: Collection) -> None:
    found = rankings(collection, Query(("?",), unit(1, 0)[None])).documents
    assert found["bm25"] == {}
    assert list(found["rrf"]) == list(found["minmax"]) == list(found["dense"])
