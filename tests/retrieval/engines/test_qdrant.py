"""One suite over the local collection and Qdrant: what an `Index` promises, whoever keeps it.

Needs the extra `qdrant`, so only `make prove` runs it. TOLLGATE_TEST_QDRANT is the URL of a Qdrant. Without it Qdrant's
client answers, from memory: the requests are the same, the engine is not.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from retrieval.collection import Collection, NoCollection, WrongEmbedder, writing
from retrieval.passage import Passage
from retrieval.protocols import Index
from retrieval.query import Scope
from tests.retrieval.collection.made import DIMENSIONS, EMBEDDER, loaded, passages, put, vector

pytestmark = pytest.mark.prove

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


@pytest.fixture
def client() -> Iterator[Any]:
    try:
        from qdrant_client import QdrantClient
    except ImportError:
        pytest.fail("qdrant-client is not installed: pip install 'tollgate[qdrant]'")
    url = os.environ.get("TOLLGATE_TEST_QDRANT")
    client = QdrantClient(url=url) if url else QdrantClient(":memory:")
    yield client
    for one in client.get_collections().collections:
        if one.name.startswith("docs-"):
            client.delete_collection(one.name)
    client.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of passages with labels and metadata, some of which were removed."""
    path = tmp_path / f"docs-{uuid4().hex}"
    path.mkdir()
    with writing(path, EMBEDDER, DIMENSIONS) as writer:
        put(writer, passages("open", 5))
        put(writer, passages("gone", 3))
        put(writer, passages("staff", 5, ("hr",), {"team": "people", "year": "1"}))
        put(writer, passages("both", 5, ("eu", "hr"), {"team": "people"}))
        put(writer, passages("odd", 5, ODD, {"team=people": "", "year": "2"}))
        put(writer, passages("dated", 5, (), {"team": "people", "year": "2"}))
        writer.commit({})
    with writing(path, EMBEDDER, DIMENSIONS) as writer:
        writer.remove(["gone"])
        put(writer, passages("late", 5, ("hr",)))
        writer.commit({})
    return path


@pytest.fixture(params=["local", "qdrant"])
def index(request: pytest.FixtureRequest, path: Path, client: Any) -> Index:
    if request.param == "local":
        return loaded(path)
    return published(path, client)


def published(path: Path, client: Any) -> Index:
    from retrieval.engines.qdrant import Qdrant, publish

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


def test_a_version_is_swapped_in_whole_and_the_one_before_stays(path: Path, client: Any) -> None:
    before = published(path, client)
    with writing(path, EMBEDDER, DIMENSIONS) as writer:
        writer.remove(["open"])
        writer.commit({})
    assert before.passages([0])[0].document == "open"
    now = published(path, client)
    assert (len(before), len(now)) == (30, 25)
    assert before.passages([0])[0].document == "open"  # who searches it goes on
    assert now.lexical("open", 5, Scope(frozenset({"hr", "eu", *ODD}))).rows.size == 0
    with writing(path, EMBEDDER, DIMENSIONS) as writer:
        writer.remove(["late"])
        writer.commit({})
    assert len(published(path, client)) == 20
    held = {one.name for one in client.get_collections().collections if one.name.startswith(path.name)}
    assert held == {f"{path.name}@{now.version}", f"{path.name}@{loaded(path).version}"}


def test_what_was_cut_off_is_not_served(path: Path, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = published(path, client)
    with writing(path, EMBEDDER, DIMENSIONS) as writer:
        writer.remove(["open"])
        writer.commit({})
    counted: Callable[..., Any] = client.count

    def dies(*args: Any, **kwargs: Any) -> Any:
        raise ConnectionError

    monkeypatch.setattr(client, "count", dies)
    with pytest.raises(ConnectionError):
        published(path, client)
    from retrieval.engines.qdrant import Qdrant

    assert Qdrant.load(client, path.name, EMBEDDER).version == before.version
    monkeypatch.setattr(client, "count", counted)
    assert published(path, client).version == Collection.load(path, EMBEDDER).version


def test_what_is_not_there_or_anothers_is_said(path: Path, client: Any) -> None:
    from retrieval.engines.qdrant import Qdrant

    with pytest.raises(NoCollection, match="was not published"):
        Qdrant.load(client, path.name, EMBEDDER)
    published(path, client)
    with pytest.raises(WrongEmbedder, match="mini@1"):
        Qdrant.load(client, path.name, "other")
