"""What a version of a collection is made of: `manifest.json`, for programs and people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

FORMAT: Final = 2  # of the files; raise it with every change that an older reader would misread


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
class Manifest:
    """A version. `documents` and `passages` are those that it holds, `left_out` the documents that failed.

    `embedder` is the identity of what made the vectors, `built_by` the versions of parsers and splitter, `language`
    what words are stemmed by. `sequence` counts versions. `files` has the SHA-256 of each file; `version` is the
    digest of all the rest.
    """

    embedder: str
    dimensions: int
    language: str
    documents: int
    passages: int
    left_out: int
    built_by: Mapping[str, str]
    created: str
    sequence: int
    parts: tuple[Part, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    format: int = FORMAT
