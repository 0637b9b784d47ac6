"""One suite over the local collection and Qdrant: what an `Index` promises, whoever keeps it.

TOLLGATE_TEST_QDRANT is the URL of a Qdrant. Without it Qdrant's client answers, from memory: the requests are the same,
the engine is not.
"""

from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from retrieval.collection import CorruptCollection, WrongEmbedder, writing
from retrieval.engines.qdrant import FACTS, Qdrant
from retrieval.passage import Passage
from retrieval.protocols import Index, IndexUnavailable
from retrieval.query import Scope
from tests.retrieval.collection.made import DIMENSIONS, EMBEDDER, loaded, passages, put, vector, written
from tests.retrieval.engines.put import LOCALLY, NAME, published

pytestmark = LOCALLY

ODD = ("", "a b", "é", "x\0y", "['hr']")
SCOPES = [
    Scope(),
    Scope(frozenset({"hr"})),
    Scope(frozenset({"hr", "eu", "unknown"})),
    Scope(frozenset(ODD)),
    Scope(frozenset({"hr"}), {"team": ("people", "none")}),
    Scope(where={"team": ("people",), "year": ("1", "2")}),
    Scope(where={"team": ()}),
    Scope(where={"team=people": ("",)}),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of passages with labels and metadata, some of which were removed."""
    path = tmp_path_factory.mktemp("kept") / f"{NAME}kept"
    path.mkdir()
    with writing(path, EMBEDDER, DIMENSIONS) as writer:
        put(writer, passages("open", 5))
        put(writer, passages("gone", 3))
        put(writer, passages("staff", 5, ("hr",), {"team": "people", "year": "1"}))
        put(writer, passages("both", 5, ("eu", "hr"), {"team": "people"}))
        put(writer, passages("odd", 5, ODD, {"team=people": "", "year": "2"}))
        put(writer, passages("dated", 5, (), {"team": "people", "year": "2"}))
        writer.commit({})
    written(path, ["late"], remove=["gone"])
    return path


@pytest.fixture(scope="module", params=["local", "qdrant"])
def index(request: pytest.FixtureRequest, path: Path, client: QdrantClient) -> Index:
    return loaded(path) if request.param == "local" else published(path, client)


def sees(scope: Scope, passage: Passage) -> bool:
    holds = all(label in scope.access for label in passage.access)
    return holds and all(passage.metadata.get(key) in values for key, values in scope.where.items())


def whole(path: Path) -> dict[int, Passage]:
    local = loaded(path)
    return dict(zip(local.rows().tolist(), local.passages(local.rows().tolist()), strict=True))


def test_it_says_what_it_is(index: Index, path: Path) -> None:
    local = loaded(path)
    assert (
        (index.name, index.version, len(index))
        == (local.name, local.version, len(local))
        == (path.name, local.version, 30)
    )


def test_passages_and_vectors_come_back_in_order(index: Index, path: Path) -> None:
    expected = whole(path)
    rows = [*reversed(expected), next(iter(expected))]
    assert index.passages(rows) == [expected[row] for row in rows]
    np.testing.assert_allclose(index.vectors(rows), [vector(expected[row].embedded) for row in rows], atol=1e-3)
    for reading in (index.passages, index.vectors):
        with pytest.raises(LookupError):
            reading([0, 999])


@pytest.mark.parametrize("scope", SCOPES)
def test_only_what_may_be_seen_is_ranked(index: Index, path: Path, scope: Scope) -> None:
    seen = {row: passage for row, passage in whole(path).items() if sees(scope, passage)}
    question = vector("a question")
    dense = index.dense(question, 4, scope)
    best = sorted(seen, key=lambda row: -float(vector(seen[row].embedded) @ question))[:4]
    assert dense.rows.tolist() == best
    np.testing.assert_allclose(dense.scores, [vector(seen[row].embedded) @ question for row in best], atol=2e-3)
    assert set(index.lexical("words", 100, scope).rows.tolist()) == set(seen)


def test_words_are_ranked_as_the_local_collection_ranks_them(index: Index, path: Path) -> None:
    everything = Scope(frozenset({"hr", "eu", *ODD}))
    for text in ("staff", "late n3", "words of dated n1 n1", "words \ud800", "nothing of it"):
        ranked, local = (one.lexical(text, 7, everything) for one in (index, loaded(path)))
        np.testing.assert_allclose(ranked.scores, local.scores, rtol=0.1)  # Tantivy rounds lengths
        assert set(ranked.rows.tolist()) == set(local.rows.tolist()) or len(set(local.scores)) < 7
    assert index.lexical("", 7, everything).rows.size == index.lexical("words", 0, everything).rows.size == 0


def test_a_section_is_read_whole(index: Index, path: Path) -> None:
    for row, passage in whole(path).items():
        around = index.around(row)
        assert passage in around
        assert {one.section for one in around} == {passage.section}
        assert [one.start for one in around] == sorted(one.start for one in around)
        assert len(around) == 2 - (passage.start == 40)


def test_anothers_vectors_are_refused(path: Path, client: QdrantClient) -> None:
    published(path, client)
    with pytest.raises(WrongEmbedder, match="mini@1"):
        Qdrant.load(client, path.name, "other")


@pytest.mark.parametrize("facts", [None, {}, {"version": "1"}, dict.fromkeys(FACTS, "other")])
def test_an_alias_of_something_else_is_refused(client: QdrantClient, facts: dict[str, str] | None) -> None:
    name, other = f"{NAME}{uuid4().hex}", f"{NAME}{uuid4().hex}"
    client.create_collection(other, {}, metadata=facts)
    moved = models.CreateAlias(collection_name=other, alias_name=name)
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=moved)])
    with pytest.raises(CorruptCollection, match=f"stands for {other}.*tollgate index publish"):
        Qdrant.load(client, name, EMBEDDER)


def test_a_version_that_is_gone_is_unavailable(changing: Path, client: QdrantClient) -> None:
    index = published(changing, client)
    client.delete_collection(f"{changing.name}@{index.version}")
    for ask in (lambda: index.lexical("words", 3, Scope()), lambda: index.passages([0]), lambda: index.around(0)):
        with pytest.raises(IndexUnavailable):
            ask()
