"""What a version of a collection is made of: `manifest.json`, for programs and people.

Invariants: `version` is a digest over all the rest, which holds the SHA-256 of every file, so that one flipped bit is
found before a byte is interpreted (FAISS searches most damaged indexes without complaint, and crashes on some).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from retrieval.collection import digests
from retrieval.collection.layout import MANIFEST

FORMAT: Final = 2  # of the files; raise it with every change that an older reader would misread
FILE: Final = re.compile(r"\w[\w.-]*(/\.?\w[\w.-]*)?", re.ASCII)  # in the version's folder, or one below it
DIGITS: Final = 16  # of the digest, in the name of a version


@dataclass(frozen=True, slots=True)
class Part:
    """Rows `first` to `first + rows` of a version, in files whose names begin with `name`.

    `kind` of vector index, and its `recall`@10 as measured on samples when it was built.
    """

    name: str
    first: int
    rows: int
    kind: str
    recall: float


@dataclass(frozen=True, slots=True)
class Known:
    """Rows whose own vector, and whose own text, found them among the first ten when the version was written."""

    dense: tuple[int, ...] = ()
    lexical: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """A version. `documents` and `passages` are those that it holds, `left_out` the documents that failed.

    `embedder` is the identity of what made the vectors, `built_by` the versions of parsers and splitter, `language`
    what words are stemmed by; `created` is in UTC; `files` has the SHA-256 of each file.
    """

    embedder: str
    dimensions: int
    language: str
    documents: int
    passages: int
    left_out: int
    built_by: Mapping[str, str]
    created: str
    parts: tuple[Part, ...]
    known: Known = Known()
    files: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    format: int = FORMAT

    @property
    def rows(self) -> int:
        """Rows in all parts, removed ones among them; also the number of the next row."""
        return sum(part.rows for part in self.parts)


def write(folder: Path, manifest: Manifest) -> Manifest:
    """Write it into a version's folder; it comes back with its version. Raises OSError."""
    facts = asdict(manifest)
    del facts["version"]  # it is the digest of the rest
    (folder / MANIFEST).write_text(json.dumps(facts, indent=1), "utf-8")
    return replace(manifest, version=_version(facts))


def read(folder: Path) -> Manifest:
    """Of the version in a folder of its name. Raises OSError; ValueError for one that was altered or is of another
    format."""
    facts = json.loads((folder / MANIFEST).read_bytes())
    if not isinstance(facts, dict):
        raise ValueError(f"{MANIFEST} is no object")
    if facts.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT}, the one that this release reads and writes")
    if _version(facts) != folder.name:
        raise ValueError(f"{MANIFEST} was altered after it was written")
    return _decoded(facts, folder.name)


def _decoded(facts: Mapping[str, Any], version: str) -> Manifest:
    if not all(map(FILE.fullmatch, facts["files"])):
        raise ValueError(f"{MANIFEST} names a file out of its folder")
    parts = tuple(Part(**part) for part in facts["parts"])
    known = Known(**{component: tuple(rows) for component, rows in facts["known"].items()})
    return Manifest(**{**facts, "parts": parts, "known": known, "version": version})


def _version(facts: Mapping[str, Any]) -> str:
    return digests.of_json(facts)[:DIGITS]
