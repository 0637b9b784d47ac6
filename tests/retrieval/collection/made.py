"""Small collections of made-up passages, whose vectors and texts tell them apart."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from retrieval.collection import Collection, Entry, Manifest, Writer, writing
from retrieval.passage import Passage
from retrieval.query import Vectors

EMBEDDER = "mini@1"
DIMENSIONS = 16


def passages(
    document: str, count: int = 5, access: tuple[str, ...] = (), metadata: Mapping[str, str] | None = None
) -> list[Passage]:
    """All passages of a document, two in each section."""
    return [
        Passage(
            id=f"{document}#{number}",
            document=document,
            title=document.upper(),
            heading=f"{document} > Part {number // 2}",
            text=f"words of {document} n{number} \u2028 \x85 ü",
            start=number * 10,
            end=number * 10 + 9,
            section=(number // 2 * 20, number // 2 * 20 + 20),
            access=access,
            metadata=metadata or {},
        )
        for number in range(count)
    ]


def vector(text: str) -> Vectors:
    """The unit vector of a text: another one for each."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    made: Vectors = np.random.default_rng(seed).normal(size=DIMENSIONS).astype(np.float32)
    return made / np.linalg.norm(made)


def vectors(some: Sequence[Passage]) -> Vectors:
    return np.stack([vector(passage.embedded) for passage in some])


def put(writer: Writer, some: Iterable[Passage]) -> None:
    """Note the documents of passages, and add these."""
    given = list(some)
    for document in dict.fromkeys(passage.document for passage in given):
        writer.note(Entry(document, f"print of {document}", document.upper()))
    writer.add(given, vectors(given))


def written(path: Path, documents: Iterable[str], remove: Iterable[str] = (), count: int = 5) -> Manifest:
    """Add documents of `count` passages to a collection, and remove others."""
    with writing(path, EMBEDDER, DIMENSIONS) as writer:
        writer.remove(remove)
        for document in documents:
            put(writer, passages(document, count))
        return writer.commit({"parser": "1"})


def loaded(path: Path) -> Collection:
    return Collection.load(path, EMBEDDER)


def documents(collection: Collection) -> set[str]:
    """The ids of all documents that have passages."""
    return {passage.document for passage in collection.passages(collection.rows().tolist())}


def check(collection: Collection) -> None:
    """It is whole: every passage is found by its vector and by its text, and they are the same everywhere."""
    rows = collection.rows().tolist()
    assert len(rows) == len(collection)
    for row, passage in zip(rows, collection.passages(rows), strict=True):
        assert collection.dense(vector(passage.embedded), 1, collection.everything).rows.tolist() == [row]
        assert row in collection.lexical(passage.text, len(rows), collection.everything).rows
        assert passage in collection.around(row)
        assert np.allclose(collection.vectors([row])[0], vector(passage.embedded), atol=1e-3)
