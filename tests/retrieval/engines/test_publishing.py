"""A version of a collection is published whole or not at all, and the one before it stays."""

from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from retrieval.collection import CollectionError, NoCollection
from retrieval.engines import publishing
from retrieval.engines.publishing import publish
from retrieval.engines.qdrant import Qdrant, current
from retrieval.query import Scope
from tests.retrieval.collection.made import EMBEDDER, loaded, written
from tests.retrieval.engines.put import LOCALLY, published

pytestmark = LOCALLY


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


def test_progress_is_told(changing: Path, client: QdrantClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "AT_ONCE", 6)
    told: list[tuple[int, int]] = []
    publish(loaded(changing), client, changing.name, lambda *step: told.append(step))
    assert told == [(6, 15), (12, 15), (15, 15)]
    publish(loaded(changing), client, changing.name, lambda *step: told.append(step))
    assert len(told) == 3


def test_what_is_not_indexed_yet_is_not_served(
    changing: Path, client: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    described, seen = client.get_collection, list[str | None]()

    def indexing(held: str) -> models.CollectionInfo:
        seen.append(current(client, changing.name))
        return described(held).model_copy(update={"status": "yellow" if len(seen) < 3 else "green"})

    monkeypatch.setattr(publishing, "WAIT_S", 0.0)
    monkeypatch.setattr(client, "get_collection", indexing)
    publish(loaded(changing), client, changing.name, lambda done, total: None)
    assert seen == [None] * 3
    assert current(client, changing.name)
