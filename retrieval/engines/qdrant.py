"""A collection in Qdrant, searched as a local one is.

Each version is a collection of Qdrant's own, `name@version`; `name` is an alias that moves to the next one. Dense
vectors are kept in 16 bits on disk and in 8 bits in memory; what a point is, is told in `points.py`.

Knows neither files nor how a collection was made. Invariants: what a scope does not allow is left out by Qdrant, before
anything is ranked; whatever the client raises is an IndexUnavailable that says why, in this file and nowhere else.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Self

import numpy as np
from httpx import HTTPError
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from retrieval.collection import CorruptCollection, NoCollection, WrongEmbedder
from retrieval.encodable import encodable
from retrieval.engines.points import DENSE, WORDS, digest, passage, term
from retrieval.lexical import analyzer, metadata_term
from retrieval.passage import Passage
from retrieval.protocols import NOTHING, IndexUnavailable, Ranked
from retrieval.query import Scope, Vectors

EF: Final = 128  # candidates of HNSW: FAISS's finds .97 of the 10 nearest of 100,000 with them
PAGE: Final = 500  # passages of a section read at once: more than most have
FACTS: Final = {"version", "passages", "language", "embedder"}  # of a version, with it
PUBLISH: Final = "tollgate index publish"
# What the client raises over answers that are not Qdrant's (its `assert`s among them), and we over their contents.
UNEXPECTED: Final = (QdrantException, ApiException, AssertionError, ValueError, TypeError, KeyError, AttributeError)


@contextmanager
def answering() -> Iterator[None]:
    """Raises IndexUnavailable for whatever goes wrong between us and Qdrant; what was sent appears in no message."""
    try:
        yield
    except UNEXPECTED as error:
        raise IndexUnavailable(f"Qdrant {_said(error)}") from error


class Qdrant:
    """An `Index` over one version. Safe from several threads, as the client is. All of it raises IndexUnavailable."""

    def __init__(self, client: QdrantClient, name: str, facts: dict[str, Any]) -> None:
        self._client, self._name, self.version = client, name, str(facts["version"])
        self._held, self._count = held_as(name, self.version), int(facts["passages"])
        self._words = analyzer(facts["language"]).analyze

    @classmethod
    @answering()
    def load(cls, client: QdrantClient, name: str, embedder_identity: str) -> Self:
        """The version that `name` stands for now. Raises NoCollection, CorruptCollection or WrongEmbedder too."""
        held = current(client, name)
        if held is None:
            raise NoCollection(name, "was not published", PUBLISH)
        facts = client.get_collection(held).config.metadata or {}
        if not facts.keys() >= FACTS or held != held_as(name, facts["version"]):
            raise CorruptCollection(name, f"stands for {held} in Qdrant, which is none of its versions", PUBLISH)
        if facts["embedder"] != embedder_identity:
            raise WrongEmbedder(name, f"was built with {facts['embedder']}, not with {embedder_identity}")
        return cls(client, name, facts)

    @property
    def name(self) -> str:
        """What it was published as."""
        return self._name

    def __len__(self) -> int:
        return self._count

    @answering()
    def dense(self, vector: Vectors, k: int, scope: Scope) -> Ranked:
        """By cosine (-1 to 1) to a unit vector [dimensions]."""
        return self._ranked(vector.tolist(), DENSE, k, scope)

    @answering()
    def lexical(self, text: str, k: int, scope: Scope) -> Ranked:
        """By BM25 (0 up; a passage without any of the words is left out)."""
        asked = sorted({term(word) for word in self._words(encodable(text))})
        return self._ranked(models.SparseVector(indices=asked, values=[1.0] * len(asked)), WORDS, k, scope, len(asked))

    @answering()
    def passages(self, rows: Sequence[int]) -> list[Passage]:
        """In the order of `rows`. Raises LookupError for a row that is none."""
        return [passage(record.payload) for record in self._records(rows, with_payload=True)]

    @answering()
    def vectors(self, rows: Sequence[int]) -> Vectors:
        """float32 [len(rows), dimensions], to 16-bit precision. Raises LookupError as `passages` does."""
        records = self._records(rows, with_payload=False, with_vectors=[DENSE])
        return np.array([record.vector[DENSE] for record in records], np.float32)

    @answering()
    def around(self, row: int) -> list[Passage]:
        """All passages of the row's section that have its labels, in reading order, itself among them."""
        (own,) = self._records([row], with_payload=["section"])
        same = models.Filter(must=[_is("section", [own.payload["section"]])])
        found, offset = self._client.scroll(self._held, same, limit=PAGE)
        while offset is not None:
            page, offset = self._client.scroll(self._held, same, limit=PAGE, offset=offset)
            found.extend(page)
        return [passage(record.payload) for record in sorted(found, key=lambda record: record.id)]

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


def _within(scope: Scope) -> models.Filter:
    """All labels of a passage are among those held: none is any other."""
    held = [digest(label) for label in sorted(scope.access)]
    other = models.FieldCondition(key="labels", match=models.MatchExcept(**{"except": held}))
    none = models.IsEmptyCondition(is_empty=models.PayloadField(key="labels"))
    facts: list[Any] = [_is("facts", [metadata_term(key, one) for one in some]) for key, some in scope.where.items()]
    return models.Filter(must=facts, must_not=[other]) if held else models.Filter(must=[*facts, none])


def _is(key: str, values: list[str]) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchAny(any=values))


def held_as(name: str, version: str) -> str:
    """Qdrant's collection that is a version."""
    return f"{name}@{version}"


def current(client: QdrantClient, name: str) -> str | None:
    """Qdrant's collection that `name` stands for now."""
    return next((one.collection_name for one in client.get_aliases().aliases if one.alias_name == name), None)


def _said(error: Exception) -> str:
    match error:
        case UnexpectedResponse():
            hint = {401: ": its key is missing or wrong", 403: ": the key may not do this", 404: ": no such version"}
            return f"answered {error.status_code}{hint.get(error.status_code or 0, '')}"
        case ResponseHandlingException(source=OSError() | HTTPError() as source):
            return f"does not answer ({type(source).__name__})"
        case QdrantException():
            return "has too much to do (429)"
    return "answered with something unexpected"
