"""Small collections, put into a Qdrant."""

from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from retrieval.engines.publishing import publish
from retrieval.engines.qdrant import Qdrant
from tests.retrieval.collection.made import EMBEDDER, loaded

NAME = "tollgate-test-"
LOCALLY = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]


def published(path: Path, client: QdrantClient) -> Qdrant:
    """The current version of a local collection, by its folder's name."""
    publish(loaded(path), client, path.name, lambda done, total: None)
    return Qdrant.load(client, path.name, EMBEDDER)
