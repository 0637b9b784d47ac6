"""A local collection becomes the version of its name in Qdrant.

Knows no search. Invariants: an alias moves to a version in a single step, when all of it is there; the version before
it stays, for those who search it still.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

from qdrant_client import QdrantClient, models

from retrieval.collection import Collection, CollectionError
from retrieval.engines.points import DENSE, INDEXED, WORDS, point
from retrieval.engines.qdrant import PUBLISH, answering, current, held_as
from retrieval.lexical import analyzer

AT_ONCE: Final = 500  # points a request: some 2 MB
WAIT_S: Final = 0.5  # between two looks whether all is indexed, which takes minutes for a million

Report = Callable[[int, int], None]


@answering()
def publish(
    collection: Collection, client: QdrantClient, name: str, report: Report, shards: int = 1, replicas: int = 1
) -> None:
    """Make a local collection's version the one that `name` stands for, spread over `shards`, each of them on so many
    machines; no-op where it is that already. The version before it stays, older ones go. Interrupted, what was served
    goes on being served.

    `report` is told of passages: how many are there, of how many. Raises IndexUnavailable, and CollectionError when
    Qdrant does not hold every passage afterwards. Blocks until it has indexed them.
    """
    held, before = held_as(name, collection.version), current(client, name)
    if before == held:
        return
    client.delete_collection(held)  # what an interruption left
    _create(client, held, collection, shards, replicas)
    sent = 0
    for points in _points(collection):
        client.upsert(held, points, wait=True)
        report(sent := sent + len(points), len(collection))
    _wait(client, held)
    if (count := client.count(held, exact=True).count) != len(collection):
        raise CollectionError(name, f"has {count} of {len(collection)} passages in Qdrant", PUBLISH)
    made = models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=held, alias_name=name))
    gone = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=name))
    client.update_collection_aliases([gone, made] if before else [made])
    _prune(client, name, {held, before})


def _wait(client: QdrantClient, held: str) -> None:
    """Until its vectors are indexed: before that each search compares with all of them."""
    while client.get_collection(held).status == models.CollectionStatus.YELLOW:
        time.sleep(WAIT_S)


def _create(client: QdrantClient, held: str, collection: Collection, shards: int, replicas: int) -> None:
    described = collection.manifest
    facts = {"embedder": described.embedder, "language": described.language, "passages": len(collection)}
    dense = models.VectorParams(
        size=described.dimensions, distance=models.Distance.DOT, datatype=models.Datatype.FLOAT16, on_disk=True
    )
    small = models.ScalarQuantization(
        scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
    )
    client.create_collection(
        held,
        vectors_config={DENSE: dense},
        sparse_vectors_config={WORDS: models.SparseVectorParams(modifier=models.Modifier.IDF)},
        quantization_config=small,
        shard_number=shards,
        replication_factor=replicas,
        metadata={**facts, "version": collection.version},
    )
    for field in INDEXED:
        client.create_payload_index(held, field, models.PayloadSchemaType.KEYWORD)


def _points(collection: Collection) -> Iterator[list[models.PointStruct]]:
    words = analyzer(collection.manifest.language).analyze
    rows = collection.rows().tolist()
    pieces = [rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE)]
    lengths = (len(words(passage.embedded)) for piece in pieces for passage in collection.passages(piece))
    average = sum(lengths) / max(len(rows), 1)
    for piece in pieces:
        given = zip(piece, collection.passages(piece), collection.vectors(piece), strict=True)
        yield [point(row, passage, vector, words, average) for row, passage, vector in given]


def _prune(client: QdrantClient, name: str, kept: set[str | None]) -> None:
    for one in client.get_collections().collections:
        if one.name.startswith(f"{name}@") and one.name not in kept:
            client.delete_collection(one.name)
