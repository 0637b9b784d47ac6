"""A collection: passages and their vectors, searched by FAISS.

Knows neither documents nor the embedder: vectors come in, and the name of what made them is compared as a string.

Invariants: row i of the index belongs to line i of passages.jsonl; vectors have unit length, so that the inner product
is the cosine; a collection is immutable and is only ever searched with vectors of the embedder that built it. Exact
(flat) search: 0.85 ms at 10,000 passages, 17 ms at 100,000, where an approximate index begins to pay.

    CollectionError
    ├── NoCollection        nothing was built there yet
    ├── CorruptCollection   the files are not those that were written
    └── WrongEmbedder       it was built with another model, or another precision
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from retrieval import folder
from retrieval.passage import Found, Passage

if TYPE_CHECKING:  # 15 MB, which a gateway without collections need not have
    import faiss

Vectors = NDArray[np.float32]

FORMAT: Final = 1  # of the files; raise it with every change that an older reader would misread
INDEX: Final = "index.faiss"
PASSAGES: Final = "passages.jsonl"


class CollectionError(Exception):
    """Any reason why a collection cannot serve. `name` is the collection's."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"collection {name!r} {problem}; run `tollgate index build` for it")
        self.name = name


class NoCollection(CollectionError):
    """Raised when the folder holds no collection."""


class CorruptCollection(CollectionError):
    """Raised when a file is missing, cut or altered, or contradicts another one."""


class WrongEmbedder(CollectionError):
    """Raised when the vectors are those of another embedder: scores between the two would mean nothing."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a collection was made of: `sources` has a fingerprint of each file seen, `failures` why one is left out."""

    embedder: str
    dimensions: int
    documents: int
    passages: int
    sources: Mapping[str, str]
    failures: Mapping[str, str]
    built_by: Mapping[str, str]
    version: str = ""
    format: int = FORMAT


class Collection:
    """A loaded collection. Safe to search from several threads."""

    def __init__(self, name: str, manifest: Manifest, passages: Sequence[Passage], index: "faiss.Index") -> None:
        self.name = name
        self.manifest = manifest
        self.passages = tuple(passages)
        self._index = index

    @classmethod
    def load(cls, path: Path, embedder_identity: str) -> Self:
        """Read the current version in a folder. Raises NoCollection, CorruptCollection or WrongEmbedder."""
        try:
            contents = folder.read(path)
            manifest = Manifest(**{**contents.facts, "version": contents.version})
        except FileNotFoundError as error:
            raise NoCollection(path.name, "does not exist") from error
        except (OSError, folder.Damaged, TypeError) as error:
            raise CorruptCollection(path.name, f"cannot be read: {error}") from error
        if manifest.embedder != embedder_identity:
            raise WrongEmbedder(path.name, f"was built with {manifest.embedder}, not with {embedder_identity}")
        return cls(path.name, manifest, *_decoded(path.name, manifest, contents.files))

    @property
    def version(self) -> str:
        """A digest over everything in it: part of the key of each answer built on it."""
        return self.manifest.version

    @property
    def documents(self) -> int:
        """How many documents it holds."""
        return self.manifest.documents

    def search(self, vector: Vectors, top_k: int) -> list[Found]:
        """The `top_k` passages nearest to a unit vector of `manifest.dimensions`, best first. Raises ValueError."""
        query = np.ascontiguousarray(vector, np.float32).reshape(1, -1)
        if query.shape[1] != self._index.d or not np.isfinite(query).all():
            raise ValueError(f"a question's vector has {self._index.d} finite numbers, this one {query.shape[1]}")
        count = min(top_k, len(self.passages))
        if count < 1:
            return []
        scores, rows = self._index.search(query, count)
        return [Found(self.passages[row], float(score)) for row, score in zip(rows[0], scores[0], strict=True)]

    def vectors(self) -> Vectors:
        """All vectors, float32 [passages, dimensions], in the order of `passages`."""
        return np.asarray(self._index.reconstruct_n(0, len(self.passages)), np.float32)


def write(path: Path, manifest: Manifest, passages: Sequence[Passage], vectors: Vectors) -> Manifest:
    """Make this the current version in a folder; call it within `folder.exclusive`. Raises OSError."""
    import faiss

    index = faiss.IndexFlatIP(manifest.dimensions)
    index.add(np.ascontiguousarray(vectors, np.float32))
    lines = "".join(json.dumps(asdict(passage), ensure_ascii=False) + "\n" for passage in passages)
    files = {INDEX: faiss.serialize_index(index).tobytes(), PASSAGES: lines.encode()}
    facts = asdict(manifest)
    del facts["version"]  # it is the digest of the rest
    return Manifest(**facts, version=folder.write(path, facts, files).version)


def _decoded(name: str, manifest: Manifest, files: Mapping[str, bytes]) -> "tuple[list[Passage], faiss.Index]":
    import faiss

    try:
        passages = [_passage(**json.loads(line)) for line in files[PASSAGES].splitlines()]
        index = faiss.deserialize_index(np.frombuffer(files[INDEX], np.uint8))
    except (LookupError, ValueError, TypeError, RuntimeError) as error:
        raise CorruptCollection(name, f"has files of another format ({type(error).__name__})") from error
    counts: tuple[Any, ...] = (manifest.format, index.d, index.ntotal, len(passages))
    if counts != (FORMAT, manifest.dimensions, manifest.passages, manifest.passages):
        raise CorruptCollection(name, f"contradicts its manifest: format, dimensions, vectors, passages are {counts}")
    return passages, index


def _passage(section: Sequence[int], access: Sequence[str], **fields: Any) -> Passage:
    start, end = section
    return Passage(section=(start, end), access=tuple(access), **fields)
