"""A collection in Qdrant: published from a local one, version by version, and searched as that is.

    publish       a local collection becomes the version of its name in Qdrant
    Qdrant.load   the version that a name stands for

Each version is a collection of Qdrant's own, `name@version`; `name` is an alias that moves to the next one in a single
step, when all of it is there. A point is a row. Dense vectors are kept in 16 bits on disk and in 8 bits in memory;
words are a sparse vector of BM25's weights of terms, which Qdrant multiplies with how rare a term is.

Knows neither files nor how a collection was made. Invariants: what a scope does not allow is left out by Qdrant, before
anything is ranked; labels and metadata are compared by digest, so that no text in them is special to Qdrant.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Self

import numpy as np
from qdrant_client import QdrantClient, models

from retrieval.collection import Collection, CollectionError, NoCollection, WrongEmbedder
from retrieval.lexical import access_term, analyzer, metadata_term
from retrieval.passage import Passage
from retrieval.protocols import NOTHING, Ranked
from retrieval.query import Scope, Vectors

DENSE: Final = "dense"
WORDS: Final = "words"
K1, B = 1.2, 0.75  # as `retrieval.lexical`
AT_ONCE: Final = 500  # points a request: some 2 MB
EF: Final = 128  # candidates of HNSW: FAISS's finds .97 of the 10 nearest of 100,000 with them
INDEXED: Final = ("labels", "facts", "section")

Words = Callable[[str], list[str]]


class Qdrant:
    """An `Index` over one version. Safe from several threads, as the client is; what the client raises, it raises."""

    def __init__(self, client: QdrantClient, name: str, facts: dict[str, Any]) -> None:
        self._client, self._name, self.version = client, name, str(facts["version"])
        self._held, self._count = _held(name, self.version), int(facts["passages"])
        self._words: Words = analyzer(facts["language"]).analyze

    @classmethod
    def load(cls, client: QdrantClient, name: str, embedder_identity: str) -> Self:
        """The version that `name` stands for now. Raises NoCollection or WrongEmbedder."""
        held = _current(client, name)
        if held is None:
            raise NoCollection(name, "was not published")
        facts = client.get_collection(held).config.metadata or {}
        if facts["embedder"] != embedder_identity:
            raise WrongEmbedder(name, f"was built with {facts['embedder']}, not with {embedder_identity}")
        return cls(client, name, facts)

    @property
    def name(self) -> str:
        """The local collection's."""
        return self._name

    def __len__(self) -> int:
        return self._count

    def dense(self, vector: Vectors, k: int, scope: Scope) -> Ranked:
        """By cosine (-1 to 1) to a unit vector [dimensions]."""
        return self._ranked(vector.tolist(), DENSE, k, scope)

    def lexical(self, text: str, k: int, scope: Scope) -> Ranked:
        """By BM25 (0 up; a passage without any of the words is left out)."""
        asked = sorted({_number(word) for word in self._words(text)})
        return self._ranked(models.SparseVector(indices=asked, values=[1.0] * len(asked)), WORDS, k, scope, len(asked))

    def passages(self, rows: Sequence[int]) -> list[Passage]:
        """In the order of `rows`. Raises LookupError for a row that is none."""
        return [_passage(record.payload) for record in self._records(rows, with_payload=True)]

    def vectors(self, rows: Sequence[int]) -> Vectors:
        """float32 [len(rows), dimensions], to 16-bit precision. Raises LookupError as `passages` does."""
        records = self._records(rows, with_payload=False, with_vectors=[DENSE])
        return np.array([record.vector[DENSE] for record in records], np.float32)

    def around(self, row: int) -> list[Passage]:
        """All passages of the row's section that have its labels, in reading order, itself among them."""
        (own,) = self._records([row], with_payload=["section"])
        same = models.Filter(must=[_is("section", [own.payload["section"]])])
        found: list[Any] = []
        offset = None
        while not found or offset is not None:
            page, offset = self._client.scroll(self._held, same, limit=AT_ONCE, offset=offset)
            found.extend(page)
        return [_passage(record.payload) for record in sorted(found, key=lambda record: record.id)]

    def _ranked(self, query: Any, using: str, k: int, scope: Scope, words: int = 1) -> Ranked:
        if k < 1 or not words:
            return NOTHING
        how = models.SearchParams(hnsw_ef=max(EF, k))
        asked = {"query": query, "using": using, "limit": k, "query_filter": _within(scope), "search_params": how}
        points = self._client.query_points(self._held, with_payload=False, **asked).points
        rows = np.array([point.id for point in points], np.int64)
        scores = np.array([point.score for point in points], np.float32)
        order = np.lexsort((rows, -scores))
        return Ranked(rows[order], scores[order])

    def _records(self, rows: Sequence[int], **what: Any) -> list[Any]:
        ids = [int(row) for row in rows]
        found = {record.id: record for record in self._client.retrieve(self._held, ids, **what)} if ids else {}
        if missing := set(ids) - set(found):
            raise LookupError(f"collection {self._name!r} has no such row as {min(missing)}")
        return [found[row] for row in ids]


def publish(collection: Collection, client: QdrantClient, shards: int = 1) -> None:
    """Make a local collection's version the one that its name stands for, spread over `shards`; no-op where it is that
    already. The version before it stays, older ones go. Interrupted, what was served goes on being served.

    Raises CollectionError when Qdrant does not hold every passage afterwards.
    """
    name, held, before = collection.name, _held(collection.name, collection.version), _current(client, collection.name)
    if before == held:
        return
    client.delete_collection(held)  # what an interruption left
    _create(client, held, collection, shards)
    for points in _points(collection):
        client.upsert(held, points, wait=True)
    if (count := client.count(held, exact=True).count) != len(collection):
        raise CollectionError(name, f"has {count} of {len(collection)} passages in Qdrant")
    made = models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=held, alias_name=name))
    gone = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=name))
    client.update_collection_aliases([gone, made] if before else [made])
    _prune(client, name, {held, before})


def _create(client: QdrantClient, held: str, collection: Collection, shards: int) -> None:
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
        yield [_point(row, passage, vector, words, average) for row, passage, vector in given]


def _point(row: int, passage: Passage, vector: Vectors, words: Words, average: float) -> models.PointStruct:
    found = Counter(map(_number, words(passage.embedded)))
    longer = K1 * (1 - B + B * found.total() / max(average, 1))
    weights = [count * (K1 + 1) / (count + longer) for count in found.values()]
    sparse = models.SparseVector(indices=list(found), values=weights)
    return models.PointStruct(id=row, vector={DENSE: vector.tolist(), WORDS: sparse}, payload=_payload(passage))


def _payload(passage: Passage) -> dict[str, Any]:
    """What is searched by, as digests, and the passage itself."""
    place = [passage.document, *map(str, passage.section), access_term(frozenset(passage.access))]
    return {
        "labels": [_label(label) for label in passage.access],
        "facts": [metadata_term(key, value) for key, value in passage.metadata.items()],
        "section": hashlib.sha256("\0".join(place).encode()).hexdigest()[:32],
        "passage": {name: getattr(passage, name) for name in Passage.__slots__} | {"metadata": dict(passage.metadata)},
    }


def _passage(payload: Any) -> Passage:
    kept = payload["passage"]
    start, end = kept["section"]
    return Passage(**{**kept, "section": (start, end), "access": tuple(kept["access"])})


def _within(scope: Scope) -> models.Filter:
    """All labels of a passage are among those held: none is any other."""
    held = [_label(label) for label in sorted(scope.access)]
    other = models.FieldCondition(key="labels", match=models.MatchExcept(**{"except": held}))
    none = models.IsEmptyCondition(is_empty=models.PayloadField(key="labels"))
    facts: list[Any] = [_is("facts", [metadata_term(key, one) for one in some]) for key, some in scope.where.items()]
    return models.Filter(must=facts, must_not=[other]) if held else models.Filter(must=[*facts, none])


def _is(key: str, values: list[str]) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchAny(any=values))


def _label(label: str) -> str:
    return access_term(frozenset({label}))


def _number(word: str) -> int:
    """A term's dimension: 32 bits, as Qdrant's are."""
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:4])


def _held(name: str, version: str) -> str:
    return f"{name}@{version}"


def _current(client: QdrantClient, name: str) -> str | None:
    return next((one.collection_name for one in client.get_aliases().aliases if one.alias_name == name), None)


def _prune(client: QdrantClient, name: str, kept: set[str | None]) -> None:
    for one in client.get_collections().collections:
        if one.name.startswith(f"{name}@") and one.name not in kept:
            client.delete_collection(one.name)
