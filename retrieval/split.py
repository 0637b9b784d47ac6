"""Documents to passages: pieces of text small enough that one vector stands for all of it.

Knows tokens only through a counting function, and neither vectors nor files.

Invariants: a passage lies within one section; what is embedded, `Passage.embedded`, has at most so many tokens;
`document.text[passage.start : passage.end] == passage.text`; every character of a section but white space is in a
passage, and passages overlap only where prose had to be cut. A table or a piece of code is cut only where it does not
fit by itself, between rows or lines; a passage that begins in the middle of a table has the table's first row at the
end of its heading, so that its numbers keep their names.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from retrieval.document import Block, Document, Section
from retrieval.passage import Passage

Tokens = Callable[[str], int]

# MiniLM reads 256 word pieces. Pieces of 200 to 400 tokens are the strong baseline of Chroma's chunking study.
LIMIT: Final = 200
OVERLAP: Final = (
    30  # word pieces, 15 % of a passage: one sentence is carried over, so that none loses what it refers to
)
HEADING_LIMIT: Final = 60  # word pieces; longer heading paths lose their outer end
HEAD_LIMIT: Final = 200  # characters of a table's first row that are repeated
MAX_CHARS: Final = 32 * LIMIT  # no language has longer word pieces; it spares counting the tokens of a whole book
# Where a text may be cut, best place first.
PROSE: Final = tuple(map(re.compile, (r"\n\s*\n", r"(?<=[.!?])\s+|\n", r"\s+")))
CODE: Final = tuple(map(re.compile, (r"\n\s*\n", r"\n", r"\s+")))
TABLE: Final = tuple(map(re.compile, (r"\n", r"\s+")))
CUTS: Final = {"prose": PROSE, "code": CODE, "table": TABLE}


@dataclass(frozen=True, slots=True)
class _Piece:
    """Characters `start` to `end` of a document's text, in the block that they are cut from."""

    start: int
    end: int
    block: Block | None


def split(document: Document, tokens: Tokens, limit: int = LIMIT) -> list[Passage]:
    """All passages of a document in reading order, each of `limit` tokens at most (at least 100).

    `tokens` counts those that the model reads, its own marks included.
    """
    return list(passages(document, tokens, limit))


def passages(document: Document, tokens: Tokens, limit: int = LIMIT) -> Iterator[Passage]:
    """The same one after the other: who takes only the first does not wait for the others."""
    for section in document.sections:
        yield from _Splitting(document, section, tokens, limit).passages()


class _Splitting:
    """One section, while it is split."""

    def __init__(self, document: Document, section: Section, tokens: Tokens, limit: int) -> None:
        self._document, self._section, self._tokens, self._limit = document, section, tokens, limit
        self._path = _shortened(" > ".join(section.heading_path), tokens)
        self._fixed = tokens(self._path)
        self._starts = [block.start for block in section.blocks]

    def passages(self) -> Iterator[Passage]:
        pieces = (piece for region in _regions(self._section) for piece in self._pieces(region))
        document, section = self._document, self._section
        for start, end in self._packed(pieces):
            yield Passage(
                id=f"{document.id}#{start}-{end}",
                document=document.id,
                title=document.title,
                heading=self._heading(start),
                text=document.text[start:end],
                start=start,
                end=end,
                section=(section.start, section.start + len(section.text)),
                access=document.access,
                metadata=document.metadata,
            )

    def _heading(self, start: int) -> str:
        """The heading of a passage that starts there: the path, and in the middle of a table its first row."""
        at = bisect_right(self._starts, start) - 1
        block = self._section.blocks[at] if at >= 0 else None
        if block and block.kind == "table" and block.head <= start < block.end:
            row = self._document.text[block.start : block.head].split("\n", 1)[0].strip()
            return _shortened(f"{self._path} > {row[:HEAD_LIMIT]}", self._tokens)
        return self._path

    def _count(self, start: int, end: int) -> int:
        if end - start > MAX_CHARS:
            return self._limit + 1
        return self._tokens(f"{self._heading(start)}\n{self._document.text[start:end]}")

    def _pieces(self, piece: _Piece, level: int = 0) -> Iterator[_Piece]:
        """Cut a piece at the best places until each part fits; where no white space is left, in halves."""
        cuts = CUTS[piece.block.kind if piece.block else "prose"]
        if self._count(piece.start, piece.end) <= self._limit or piece.end - piece.start < 2:
            yield piece
        elif level == len(cuts):
            middle = (piece.start + piece.end) // 2
            yield from self._pieces(_Piece(piece.start, middle, piece.block), level)
            yield from self._pieces(_Piece(middle, piece.end, piece.block), level)
        else:
            for start, end in _cut(self._document.text, piece.start, piece.end, cuts[level]):
                yield from self._pieces(_Piece(start, end, piece.block), level + 1)

    def _packed(self, pieces: Iterator[_Piece]) -> Iterator[tuple[int, int]]:
        """Join neighbours while they fit. The last piece of a passage opens the next one too, if it is short prose."""
        taken = [next(pieces)]  # no section is blank
        for piece in pieces:
            if self._count(taken[0].start, piece.end) <= self._limit:
                taken.append(piece)
                continue
            yield taken[0].start, taken[-1].end
            taken = [taken[-1], piece] if self._carries(taken[-1], piece) else [piece]
        yield taken[0].start, taken[-1].end

    def _carries(self, last: _Piece, piece: _Piece) -> bool:
        if last.block or piece.block or self._count(last.start, last.end) - self._fixed > OVERLAP:
            return False
        return self._count(last.start, piece.end) <= self._limit


def _regions(section: Section) -> Iterator[_Piece]:
    """A section's blocks, and the prose between them, white space at their ends left out."""
    at, end = section.start, section.start + len(section.text)
    for block in (*section.blocks, Block("code", end, end)):
        yield from _trimmed(section, at, block.start, None)
        yield from _trimmed(section, block.start, block.end, block)
        at = block.end


def _trimmed(section: Section, start: int, end: int, block: Block | None) -> Iterator[_Piece]:
    text = section.text[start - section.start : end - section.start]
    if text.strip():
        start += len(text) - len(text.lstrip())
        yield _Piece(start, start + len(text.strip()), block)


def _shortened(heading: str, tokens: Tokens) -> str:
    while tokens(heading) > HEADING_LIMIT:
        heading = heading[len(heading) // 4 + 1 :]
    return heading


def _cut(text: str, start: int, end: int, at: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    for gap in at.finditer(text, start, end):
        if gap.start() > start:
            yield start, gap.start()
        start = gap.end()
    if start < end:
        yield start, end
