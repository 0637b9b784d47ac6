"""candidates: what the components rank, rated together, on a real collection."""

from pathlib import Path

import numpy as np
import pytest

from retrieval.collection import Collection
from retrieval.query import Query, Scope
from retrieval.search import candidates
from retrieval.search.candidates import DEPTH
from tests.retrieval.search.small import made, passage, unit

BOATS, SHIPS, CATS, DOGS = (
    passage(text, name)
    for name, text in {
        "boats": "boats float on water",
        "ships": "vessels displace it",
        "cats": "cats purr",
        "dogs": "dogs bark at water",
    }.items()
)


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    vectors = [unit(9, 1, 0), unit(9, 2, 0), unit(0, 1, 9), unit(0, 2, 9)]
    return made(tmp_path_factory.mktemp("c") / "pages", list(zip([BOATS, SHIPS, CATS, DOGS], vectors, strict=True)))


def asked(text: str, *numbers: float) -> Query:
    return Query((text,), unit(*numbers)[None])


def names(collection: Collection, query: Query, k: int = 50) -> list[str]:
    return [found.passage.document for found in candidates(collection, query, k)]


def test_words_decide_between_equal_vectors_and_vectors_between_equal_words(collection: Collection) -> None:
    assert names(collection, asked("vessels", 9, 1.5, 0))[:2] == ["ships", "boats"]
    assert names(collection, asked("water", 9, 1, 0))[0] == "boats"
    assert names(collection, asked("water", 0, 1, 9))[0] == "dogs"


def test_scores_are_probabilities_in_falling_order_with_their_parts(collection: Collection) -> None:
    found = candidates(collection, asked("boats on water", 9, 1, 0))
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score < 1 for score in scores)
    assert np.isclose(found[0].parts["dense"], 1, atol=1e-3)
    assert found[0].parts["lexical"] > 0
    assert "lexical" not in next(one for one in found if one.passage == SHIPS).parts
    assert collection.passages([one.row for one in found]) == [one.passage for one in found]


def test_no_more_than_asked_for(collection: Collection) -> None:
    assert len(candidates(collection, asked("water", 1, 1, 1), 2)) == 2


def test_what_was_said_before_counts_as_much_as_the_question(collection: Collection) -> None:
    alone = Query(("and it?",), unit(0, 1, 5)[None])
    talked = Query(("and it?", "boats\nand it?"), np.stack([unit(0, 1, 5), unit(9, 1, 0)]))
    assert names(collection, alone)[0] in {"cats", "dogs"}
    assert names(collection, talked)[0] == "boats"


def test_what_is_like_the_best_passes_what_is_as_near_to_the_question(tmp_path: Path) -> None:
    vectors = {"best": unit(9, 3, 0), "like it": unit(9, 7, 0), "other": unit(9, 0, 6.9)}
    pages = [(passage("boats float" if name == "best" else "-", name), of) for name, of in vectors.items()]
    query = Query(("boats float",), unit(1, 0, 0)[None])
    found = candidates(made(tmp_path / "c", pages), query)
    assert [one.passage.document for one in found] == ["best", "like it", "other"]
    assert found[1].parts["dense"] < found[2].parts["dense"]


def test_a_passage_that_only_its_words_find_has_its_cosine_too(tmp_path: Path) -> None:
    near = [(passage(f"page {number}", f"p{number}"), unit(9, 1)) for number in range(DEPTH + 1)]
    collection = made(tmp_path / "c", [*near, (passage("boats", "far"), unit(1, 9))])
    query = Query(("boats",), unit(1, 0)[None])
    (found,) = (one for one in candidates(collection, query, DEPTH + 1) if one.passage.document == "far")
    assert found.parts["lexical"] > 0
    assert np.isclose(found.parts["dense"], unit(1, 9)[0], atol=1e-3)


def test_what_the_reader_may_not_see_is_never_a_candidate(tmp_path: Path) -> None:
    secret = passage("boats float", "secret", access=("hr",))
    collection = made(tmp_path / "c", [(secret, unit(1, 0)), (passage("cats purr", "cats"), unit(0, 1))])
    assert names(collection, Query(("boats float",), unit(1, 0)[None])) == ["cats"]
    allowed = Query(("boats float",), unit(1, 0)[None], Scope(frozenset({"hr"})))
    assert names(collection, allowed) == ["secret", "cats"]


def test_nothing_to_see_is_nothing_found(tmp_path: Path) -> None:
    collection = made(tmp_path / "c", [(passage("boats", "secret", access=("hr",)), unit(1, 0))])
    assert candidates(collection, Query(("boats",), unit(1, 0)[None])) == []
