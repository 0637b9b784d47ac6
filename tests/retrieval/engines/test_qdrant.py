"""One suite over the local collection and Qdrant: what an `Index` promises, whoever keeps it.

TOLLGATE_TEST_QDRANT is the URL of a Qdrant. Without it Qdrant's client answers, from memory: the requests are the same,
the engine is not.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from qdrant_client import QdrantClient

from retrieval.collection import CollectionError, NoCollection, WrongEmbedder, writing
from retrieval.engines.qdrant import Qdrant, publish
from retrieval.passage import Passage
from retrieval.protocols import Index
from retrieval.query import Scope
from tests.retrieval.collection.made import DIMENSIONS, EMBEDDER, loaded, passages, put, vector, written

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]

NAME = "tollgate-test-"
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
def client() -> Iterator[QdrantClient]:
    url = os.environ.get("TOLLGATE_TEST_QDRANT")
    client = QdrantClient(url=url) if url else QdrantClient(":memory:")
    yield client
    for one in client.get_collections().collections:
        if one.name.startswith(NAME):
            client.delete_collection(one.name)
    client.close()


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


@pytest.fixture
def changing(tmp_path: Path) -> Path:
    """A collection of its own, of three documents."""
    path = tmp_path / f"{NAME}{uuid4().hex}"
    path.mkdir()
    written(path, ["open", "late", "last"])
    return path


@pytest.fixture(scope="module", params=["local", "qdrant"])
def index(request: pytest.FixtureRequest, path: Path, client: QdrantClient) -> Index:
    return loaded(path) if request.param == "local" else published(path, client)


def published(path: Path, client: QdrantClient) -> Qdrant:
    publish(loaded(path), client)
    return Qdrant.load(client, path.name, EMBEDDER)


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


@pytest.mark.parametrize("scope", SCOPES, ids=repr)
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
    for text in ("staff", "late n3", "words of dated n1 n1", "nothing of it"):
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


def test_a_version_is_swapped_in_whole_and_the_one_before_stays(changing: Path, client: QdrantClient) -> None:
    before = published(changing, client)
    written(changing, [], remove=["open"])
    now = published(changing, client)
    assert (len(before), len(now)) == (15, 10)
    assert before.passages([0])[0].document == "open"  # who searches it goes on
    assert now.lexical("open", 5, Scope()).rows.size == 0
    written(changing, [], remove=["late"])
    latest = published(changing, client)
    held = {one.name for one in client.get_collections().collections if one.name.startswith(changing.name)}
    assert held == {f"{changing.name}@{now.version}", f"{changing.name}@{latest.version}"}
    assert published(changing, client).version == latest.version


def test_what_was_cut_off_is_not_served(changing: Path, client: QdrantClient, monkeypatch: pytest.MonkeyPatch) -> None:
    before = published(changing, client)
    written(changing, [], remove=["open"])
    put_there = client.upsert

    def cut_off(*args: Any, **kwargs: Any) -> None:
        put_there(*args, **kwargs)
        raise ConnectionError

    monkeypatch.setattr(client, "upsert", cut_off)
    with pytest.raises(ConnectionError):
        published(changing, client)
    assert Qdrant.load(client, changing.name, EMBEDDER).version == before.version
    monkeypatch.undo()
    assert published(changing, client).version == loaded(changing).version


def test_what_did_not_arrive_is_not_served(
    changing: Path, client: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "upsert", lambda *args, **kwargs: None)
    with pytest.raises(CollectionError, match="0 of 15 passages"):
        published(changing, client)
    with pytest.raises(NoCollection, match="was not published"):
        Qdrant.load(client, changing.name, EMBEDDER)


def test_anothers_vectors_are_refused(path: Path, client: QdrantClient) -> None:
    published(path, client)
    with pytest.raises(WrongEmbedder, match="mini@1"):
        Qdrant.load(client, path.name, "other")
