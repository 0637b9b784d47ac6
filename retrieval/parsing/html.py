"""HTML: the text that a reader sees, block by block.

Invariant: the text has one blank line between blocks; a table has a line for each row, its cells divided by " | ".
"""

import re
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from retrieval.document import Block, Document, Mark, Source, outline
from retrieval.parsing.facts import facts, listed
from retrieval.parsing.text import decoded

LIBRARIES: Final = ("selectolax",)
UNSEEN: Final = ["script", "style", "noscript", "template", "nav", "svg", "iframe"]
HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")
# Elements that a browser draws on lines of their own (HTML standard, section 15.3 "Flow content").
BLOCKS: Final = (
    "address, article, aside, blockquote, br, dd, details, div, dl, dt, figcaption, figure, footer, header, hr, li,"
    "main, ol, p, section, summary, table, td, th, ul"
)
NOT_IN_GRIDS: Final = "table, pre, h1, h2, h3, h4, h5, h6"  # a table around one of these is there for the page's layout
# Unicode sets these code points aside for a program's own use; no text may hold them (The Unicode Standard, 23.7).
NONCHARACTERS: Final = re.compile("[\ufdd0-\ufdef]")
BREAK, VERBATIM, TABLE, ROW = "\ufdd0", "\ufdd7", "\ufdd8", "\ufdd9"
LEVELS: Final = {chr(0xFDD0 + level): level for level in range(1, 7)}
NAMED: Final = "metadata."  # <meta name="metadata.team" content="people"> is the metadata team = people


def parse(source: Source) -> Document:
    tree = LexborHTMLParser(NONCHARACTERS.sub("", decoded(source)))
    said = facts(source.id, _said(tree))
    tree.strip_tags(UNSEEN, recursive=True)
    _mark(tree)
    page = _Page()
    for block in tree.body.text().split(BREAK) if tree.body else ():
        page.add(block)
    return outline(source.id, "".join(page.text), page.marks, said, page.blocks)


class _Page:
    """The text so far, in pieces, with the headings, tables and code in it."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.marks: list[Mark] = []
        self.blocks: list[Block] = []
        self._end = 0

    def add(self, block: str) -> None:
        words = _tidy(block)
        start, end = self._end, self._end + len(words)
        if block[:1] in LEVELS:
            self.marks.append(Mark(LEVELS[block[:1]], words, start, end))
        if words and block[:1] == VERBATIM:
            self.blocks.append(Block("code", start, end))
        if words and block[:1] == TABLE:
            head = start + len(words.split("\n", 1)[0])
            self.blocks.append(Block("table", start, end, head))
        if words:
            self.text.append(words + "\n\n")
            self._end = end + 2


def _said(tree: LexborHTMLParser) -> dict[str, object]:
    """`<title>`, `<meta>` and the canonical address (RFC 6596), which a copied page carries with it."""
    metas = [(str(node.attributes["name"]).lower(), node.attributes.get("content")) for node in tree.css("meta[name]")]
    named = dict(metas)
    canonical = tree.css_first('link[rel~="canonical"][href]')
    title = tree.css_first("title")
    metadata = {key.removeprefix(NAMED): value for key, value in named.items() if key.startswith(NAMED)}
    return {
        "title": _tidy(title.text()) if title else "",
        "author": named.get("author"),
        "date": named.get("date"),
        "access": [label for name, content in metas if name == "access" for label in listed(content)],
        "metadata": metadata | ({"url": canonical.attributes["href"]} if canonical else {}),
    }


def _mark(tree: LexborHTMLParser) -> None:
    """Put a sign into the text wherever a block begins or ends, so that it survives the removal of the elements."""
    for table in tree.css("table"):
        if len(table.css(NOT_IN_GRIDS)) == 1:  # itself
            table.replace_with(BREAK + TABLE + ROW.join(filter(None, map(_row, table.css("tr")))) + BREAK)
    signs = {BLOCKS: "", "pre": VERBATIM} | dict(zip(HEADINGS, LEVELS, strict=True))
    for selector, sign in signs.items():
        for node in tree.css(selector):
            node.insert_before(BREAK + sign)
            node.insert_after(BREAK)


def _row(row: LexborNode) -> str:
    cells = [" ".join(cell.text(separator=" ").split()) for cell in row.css("td, th")]
    return " | ".join(cells) if any(cells) else ""


def _tidy(block: str) -> str:
    """White space as a browser shows it: kept in <pre>, run together elsewhere."""
    words = NONCHARACTERS.sub("", block.replace(ROW, "\n"))
    if block.startswith(VERBATIM):
        return words.strip("\n")
    return words.strip() if block.startswith(TABLE) else " ".join(words.split())
