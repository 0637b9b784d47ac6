"""The vocabulary of what is retrieved: a `Passage` of a document, and a passage `Found` for a question.

Invariants: `document.text[passage.start : passage.end] == passage.text`, so that a citation's offsets can be looked up;
a passage lies within one section of its document, whose offsets it carries, so that neighbours can be joined.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Passage:
    """A citable piece of a document. `heading` is the path "Title > Heading"; offsets count characters of its text.

    `section` is the start and end of the section it is part of. `access` are the labels of its document: it is shown
    to who holds all of them. `metadata` is what the document says about itself, as strings.
    """

    id: str
    document: str
    title: str
    heading: str
    text: str
    start: int
    end: int
    section: tuple[int, int] = (0, 0)
    access: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def embedded(self) -> str:
        """What the vector is made of: the heading path is the context a passage lacks by itself."""
        return f"{self.heading}\n{self.text}"


@dataclass(frozen=True, slots=True)
class Found:
    """A passage for a question. `score` is the probability that it is relevant (0 to 1), which the passages of one
    search are ordered by; `parts` is what it was made of: the cosine `dense` (-1 to 1), the BM25 score `lexical`
    (0 up), `rerank`; a part that did not rank the passage is absent. `row` is its row in the version that was searched,
    -1 if it comes from no index."""

    passage: Passage
    score: float
    parts: Mapping[str, float] = field(default_factory=dict)
    row: int = -1
