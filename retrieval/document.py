"""What a file becomes: a `Document`, cut into the sections below its headings.

Knows headings and blocks; formats are the business of `parsing`, tokens and passages that of `split`.

Invariants: `document.text[section.start :][: len(section.text)] == section.text`, so that a citation's offsets can be
looked up; a heading path starts with the document's title; sections come in reading order and none is blank; blocks do
not overlap, and none reaches beyond its section.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Final, Literal

MAX_BYTES: Final = 20 * 2**20  # a book is 1 MB of text; what is larger is an archive, and would hold up every build
MAX_TEXT: Final = MAX_BYTES  # characters that a file may unfold into
MAX_HEADING: Final = 200  # characters; headings travel with every passage


class Unreadable(Exception):
    """Raised when something gives no document. `reason` says why, in words for the person who owns the file."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one document. `id` begins with the path of its file relative to the collection's folder, with
    slashes. `problem` says why the bytes are not all there; `at` where in the file they are, for people."""

    id: str
    data: bytes
    problem: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A table or code: characters `start` to `end` of a document's text. A table's first row ends at `head`."""

    kind: Literal["table", "code"]
    start: int
    end: int
    head: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """The text below one heading; `start` counts characters of the document's text, and so do its blocks."""

    heading_path: tuple[str, ...]
    text: str
    start: int
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a document says about itself: a title for want of a heading, labels that its reader must hold, metadata."""

    title: str = ""
    access: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    id: str
    title: str
    text: str
    sections: tuple[Section, ...]
    access: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mark:
    """A heading in a text: its level (1 is the highest, 0 the beginning of the text) and the characters it takes up."""

    level: int
    heading: str
    start: int
    end: int


def outline(
    source_id: str, text: str, marks: Sequence[Mark], facts: Facts = Facts(), blocks: Sequence[Block] = ()
) -> Document:
    """The document of a text whose headings and blocks are known, each in reading order.

    The first heading of level 1 is its title, then what the facts say, then the name of the file.
    """
    heads = [mark.heading for mark in marks if mark.level == 1]
    title = _short(next(filter(None, [*heads, facts.title]), PurePosixPath(source_id).stem))
    sections = tuple(_sections(title, text, marks, blocks))
    return Document(source_id, title, text, sections, facts.access, facts.metadata)


def _sections(title: str, text: str, marks: Sequence[Mark], blocks: Sequence[Block]) -> Iterator[Section]:
    above: list[Mark] = []
    ahead = list(reversed(blocks))
    for mark, after in pairwise([Mark(0, "", 0, 0), *marks, Mark(0, "", len(text), len(text))]):
        above = [*(outer for outer in above if outer.level < mark.level), mark]
        headings = [_short(outer.heading) for outer in above]
        path = (title, *(heading for heading in headings if heading not in ("", title)))
        body = text[mark.end : after.start]
        start = mark.end + len(body) - len(body.lstrip())
        inside = list(_taken(ahead, after.start))
        if body.strip():
            yield Section(path, body.strip(), start, tuple(_within(inside, start, start + len(body.strip()))))


def _taken(ahead: list[Block], end: int) -> Iterator[Block]:
    """The blocks that begin before `end`, off the end of a list whose last is the first in the text."""
    while ahead and ahead[-1].start < end:
        yield ahead.pop()


def _within(blocks: Sequence[Block], start: int, end: int) -> Iterator[Block]:
    """White space is cut off a section's ends, and that may have been a block's."""
    for block in blocks:
        if block.start < end and block.end > start:
            yield Block(block.kind, max(block.start, start), min(block.end, end), min(max(block.head, start), end))


def _short(heading: str) -> str:
    return heading[:MAX_HEADING].strip()
