"""Markdown (CommonMark with GitHub's tables) and its YAML front matter. The text is the source itself."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, Literal

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from retrieval.document import Block, Document, Facts, Mark, Source, Unreadable, outline
from retrieval.parsing.facts import facts
from retrieval.parsing.text import decoded

LIBRARIES: Final = ("markdown-it-py", "PyYAML")
FRONT_MATTER: Final = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
OPENED: Final = re.compile(r"\A---[ \t]*\n[\w-]+[ \t]*:")  # what begins like one; a line at the top does not
KINDS: Final[dict[str, Literal["table", "code"]]] = {"table_open": "table", "fence": "code", "code_block": "code"}


def parse(source: Source) -> Document:
    text = decoded(source)
    front = FRONT_MATTER.match(text)
    if not front and OPENED.match(text):
        raise Unreadable(source.id, "has a front matter that does not end: put a line of --- below it")
    text = text[front.end() :] if front else text
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    lines = [0, *(newline.end() for newline in re.finditer("\n", text)), len(text)]
    said = _front(source.id, front[1]) if front else Facts()
    return outline(source.id, text, list(_marks(tokens, lines)), said, list(_blocks(tokens, lines)))


def _front(source_id: str, text: str) -> Facts:
    """A front matter that cannot be read may hold access labels: the document is refused rather than shown to all."""
    try:
        fields: Any = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(source_id, "has a front matter that is no valid YAML: correct or remove it") from error
    return facts(source_id, {} if fields is None else fields)


def _marks(tokens: Sequence[Token], lines: Sequence[int]) -> Iterator[Mark]:
    """Headings of the page itself; those inside a list or a quotation belong to that."""
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.level == 0 and opening.map:
            first, after = opening.map
            yield Mark(int(opening.tag[1:]), _words(inline), lines[first], lines[after])


def _blocks(tokens: Sequence[Token], lines: Sequence[int]) -> Iterator[Block]:
    for token in tokens:
        if token.type in KINDS and token.level == 0 and token.map:
            first, after = token.map
            head = (
                lines[min(first + 2, after)] if token.type == "table_open" else 0
            )  # the header and the line of dashes
            yield Block(KINDS[token.type], lines[first], lines[after], head)


def _words(inline: Token) -> str:
    seen = [child for child in inline.children or () if child.type in ("text", "code_inline", "softbreak")]
    return "".join(child.content or " " for child in seen)
