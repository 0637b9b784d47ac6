"""The engine that holds published collections: which version a name stands for, loaded or replaced.

Knows names and versions, and no search. Everything raises IndexUnavailable when Qdrant does not answer.
"""

from typing import Self

from qdrant_client import QdrantClient

from retrieval.collection import Collection
from retrieval.engines.publishing import Report, publish
from retrieval.engines.qdrant import Qdrant, answering, current
from retrieval.protocols import IndexUnavailable


class Engine:
    """Collections in Qdrant. Safe from several threads, as the client is."""

    def __init__(self, client: QdrantClient) -> None:
        self._client = client

    @classmethod
    def at(cls, url: str, key: str | None, timeout_s: int) -> Self:
        """Over HTTP; nothing is asked yet. Without a port in the URL it is Qdrant's, 6333."""
        try:
            # The check would be a thread that asks on its own, through whatever proxy the environment names.
            client = QdrantClient(url, api_key=key, timeout=timeout_s, check_compatibility=False, trust_env=False)
        except ValueError as error:
            raise IndexUnavailable(f"{url!r} is no URL") from error
        return cls(client)

    def version(self, name: str) -> str | None:
        """The one that a name stands for now, None where nothing was published."""
        with answering():
            held = current(self._client, name)
        return held and held.removeprefix(f"{name}@")

    def load(self, name: str, embedder_identity: str) -> Qdrant:
        """That version. Raises CollectionError too."""
        return Qdrant.load(self._client, name, embedder_identity)

    def publish(self, collection: Collection, name: str, report: Report, shards: int = 1, replicas: int = 1) -> None:
        """Put a local collection in its place. Raises CollectionError too."""
        publish(collection, self._client, name, report, shards, replicas)

    def close(self) -> None:
        self._client.close()
