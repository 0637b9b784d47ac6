"""Documents to passages: pieces of text small enough that one vector stands for all of it.

Knows tokens only through a counting function, and neither vectors nor files.

Invariants: a passage lies within one section; what is embedded, `Passage.embedded`, has at most `LIMIT` word pieces;
`document.text[passage.start : passage.end] == passage.text`; every character of a section but white space is in a
passage, and passages overlap only where a section had to be split.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from retrieval.document import Document, Section
from retrieval.passage import Passage

Tokens = Callable[[str], int]
Span = tuple[int, int]

# MiniLM reads 256 word pieces. Pieces of 200 to 400 tokens are the strong baseline of Chroma's chunking study.
LIMIT: Final = 200
OVERLAP: Final = (
    30  # word pieces, 15 % of a passage: one sentence is carried over, so that none loses what it refers to
)
HEADING_LIMIT: Final = 60  # word pieces; longer heading paths lose their outer end
MAX_CHARS: Final = 32 * LIMIT  # no language has longer word pieces; it spares counting the tokens of a whole book
# Where a text may be cut, best place first.
CUTS: Final = tuple(map(re.compile, (r"\n\s*\n", r"(?<=[.!?])\s+|\n", r"\s+")))


def split(document: Document, tokens: Tokens) -> list[Passage]:
    """All passages of a document in reading order. `tokens` counts word pieces, the model's own marks included."""
    return [passage for section in document.sections for passage in _passages(document, section, tokens)]


def _passages(document: Document, section: Section, tokens: Tokens) -> Iterator[Passage]:
    heading = _heading(section, tokens)

    def count(span: Span) -> int:
        text = section.text[slice(*span)]
        return tokens(f"{heading}\n{text}") if len(text) <= MAX_CHARS else LIMIT + 1

    pieces = list(_pieces(section.text, (0, len(section.text)), count))
    for first, last in _packed(pieces, count, tokens(heading)):
        start, end = section.start + first, section.start + last
        name = f"{document.id}#{start}-{end}"
        text, section_end = document.text[start:end], section.start + len(section.text)
        yield Passage(name, document.id, document.title, heading, text, start, end, (section.start, section_end))


def _heading(section: Section, tokens: Tokens) -> str:
    heading = " > ".join(section.heading_path)
    while tokens(heading) > HEADING_LIMIT:
        heading = heading[len(heading) // 4 + 1 :]
    return heading


def _pieces(text: str, span: Span, count: Callable[[Span], int], level: int = 0) -> Iterator[Span]:
    """Cut a span at the best places until each piece fits; where no white space is left, in halves."""
    start, end = span
    if count(span) <= LIMIT or end - start < 2:
        yield span
    elif level == len(CUTS):
        middle = (start + end) // 2
        yield from _pieces(text, (start, middle), count, level)
        yield from _pieces(text, (middle, end), count, level)
    else:
        for part in _cut(text, span, CUTS[level]):
            yield from _pieces(text, part, count, level + 1)


def _cut(text: str, span: Span, at: re.Pattern[str]) -> Iterator[Span]:
    start, end = span
    for gap in at.finditer(text, start, end):
        if gap.start() > start:
            yield start, gap.start()
        start = gap.end()
    if start < end:
        yield start, end


def _packed(pieces: list[Span], count: Callable[[Span], int], fixed: int) -> Iterator[Span]:
    """Join neighbours while they fit. The last piece of a passage opens the next one too, if it is short."""
    taken = pieces[:1]
    for piece in pieces[1:]:
        if count((taken[0][0], piece[1])) <= LIMIT:
            taken.append(piece)
            continue
        yield taken[0][0], taken[-1][1]
        last = taken[-1]
        carried = count(last) - fixed <= OVERLAP and count((last[0], piece[1])) <= LIMIT
        taken = [last, piece] if carried else [piece]
    yield taken[0][0], taken[-1][1]
