"""Documents to passages: pieces of text small enough that one vector stands for all of it.

Knows tokens only through a counting function, and neither vectors nor files.

Invariants: a passage lies within one section; what is embedded, `Passage.embedded`, has at most so many tokens;
`document.text[passage.start : passage.end] == passage.text`; every character of a section but white space is in a
passage, and passages overlap only where prose had to be cut. A table or a piece of code is cut only where it does not
fit by itself, between rows or lines; a passage that begins in the middle of a table has the table's first row at the
end of its heading, so that its numbers keep their names. Time grows with the text, however short its lines are: tokens
are counted only where their number is not plain from that of the bytes.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
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
        self._starts = [block.start for block in section.blocks]
        self._fixed = cache(tokens)  # tokens of a heading
        self._of_row = cache(self._with_row)
        self._counted = (-1, -1, 0)  # start, end and tokens of the text that was counted last
        self._exactly = False  # whether all is counted

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
            return self._of_row(block)
        return self._path

    def _with_row(self, block: Block) -> str:
        row = self._document.text[block.start : block.head].split("\n", 1)[0].strip()
        return _shortened(f"{self._path} > {row[:HEAD_LIMIT]}", self._tokens)

    def _fits(self, start: int, end: int) -> bool:
        """Whether this is no more than a passage: by what was counted of its beginning if possible, else counted."""
        if end - start > MAX_CHARS:
            return False
        known = self._counted if self._counted[0] == start else (start, start, self._fixed(self._heading(start)) + 1)
        if (
            not self._exactly
            and known[1] <= end
            and known[2] + _at_most(self._document.text[known[1] : end]) <= self._limit
        ):
            return True
        self._counted = (start, end, self._count(start, end))
        return self._counted[2] <= self._limit

    def _count(self, start: int, end: int) -> int:
        return self._tokens(f"{self._heading(start)}\n{self._document.text[start:end]}")

    def _pieces(self, piece: _Piece, level: int = 0) -> Iterator[_Piece]:
        """Cut a piece at the best places until each part fits; where no white space is left, in halves."""
        cuts = CUTS[piece.block.kind if piece.block else "prose"]
        if self._fits(piece.start, piece.end) or piece.end - piece.start < 2:
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
            if self._fits(taken[0].start, piece.end):
                taken.append(piece)
                continue
            yield from self._verified(taken)
            taken = [taken[-1], piece] if self._carries(taken[-1], piece) else [piece]
        yield from self._verified(taken)

    def _verified(self, taken: Sequence[_Piece]) -> Iterator[tuple[int, int]]:
        """The passage of these pieces. Where it has more tokens than its bytes told, they are cut anew, all counted."""
        if self._exactly or self._count(taken[0].start, taken[-1].end) <= self._limit:
            yield taken[0].start, taken[-1].end
        else:
            self._exactly = True
            yield from self._packed(part for piece in taken for part in self._pieces(piece))

    def _carries(self, last: _Piece, piece: _Piece) -> bool:
        if last.block or piece.block or self._count(last.start, last.end) - self._fixed(self._path) > OVERLAP:
            return False
        return self._fits(last.start, piece.end)


def _at_most(text: str) -> int:
    """A bound on the tokens of some text: a tokenizer makes at least a byte of each, once Unicode is decomposed."""
    return len(text) if text.isascii() else len(unicodedata.normalize("NFKD", text).encode("utf-8", "replace"))


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
