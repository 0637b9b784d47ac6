"""A Qdrant: the server at TOLLGATE_TEST_QDRANT, or without one the client's own implementation, in memory."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from qdrant_client import QdrantClient

from tests.retrieval.collection.made import written
from tests.retrieval.engines.put import NAME


@pytest.fixture(scope="module")
def client() -> Iterator[QdrantClient]:
    url = os.environ.get("TOLLGATE_TEST_QDRANT")
    client = QdrantClient(url=url) if url else QdrantClient(":memory:")
    yield client
    for one in client.get_collections().collections:
        if one.name.startswith(NAME):
            client.delete_collection(one.name)
    client.close()


@pytest.fixture
def changing(tmp_path: Path) -> Path:
    """A collection of its own, of three documents."""
    path = tmp_path / f"{NAME}{uuid4().hex}"
    path.mkdir()
    written(path, ["open", "late", "last"])
    return path
