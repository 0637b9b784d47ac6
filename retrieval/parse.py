"""The formats: Markdown, plain text, HTML and PDF to a `Document`.

Each format finds the text and its headings, and no more. Whatever is wrong with a file, `Unreadable` is the only
exception.
"""

import io
import re
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from selectolax.lexbor import LexborHTMLParser

from retrieval.document import Document, Facts, Mark, Source, Unreadable, outline

FRONT_MATTER: Final = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")
UNSEEN: Final = ["script", "style", "noscript", "template", "nav", "svg", "iframe"]
# Elements that a browser draws on lines of their own (HTML standard, section 15.3 "Flow content").
BLOCKS: Final = (
    "address, article, aside, blockquote, br, dd, details, div, dl, dt, figcaption, figure, footer, header, hr, li,"
    "main, ol, p, section, summary, table, tr, ul"
)
# Unicode sets these code points aside for a program's own use; no text may hold them (The Unicode Standard, 23.7).
NONCHARACTERS: Final = re.compile("[\ufdd0-\ufdef]")
BREAK, VERBATIM = "\ufdd0", "\ufdd7"
LEVELS: Final = {chr(0xFDD0 + level): level for level in range(1, 7)}


def parse(source: Source) -> Document:
    """The document in a source, by its suffix. Raises Unreadable."""
    parser = FORMATS.get(PurePosixPath(source.id).suffix.lower())
    if parser is None:
        raise Unreadable(source.id, f"is none of {', '.join(FORMATS)}")
    document = parser(source)
    if not document.sections:
        raise Unreadable(source.id, "holds no text")
    return document


def versions() -> dict[str, str]:
    """The libraries that the result of `parse` depends on."""
    return {name: version(name) for name in ("markdown-it-py", "pypdf", "selectolax")}


def _decoded(source: Source) -> str:
    try:
        text = source.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(
            source.id, f"is not UTF-8 from byte {error.start} on: convert it, for example with iconv"
        ) from error
    if "\0" in text:
        raise Unreadable(source.id, "holds NUL bytes: it is no text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _text(source: Source) -> Document:
    return outline(source.id, _decoded(source), [])


def _markdown(source: Source) -> Document:
    text = FRONT_MATTER.sub("", _decoded(source), count=1)
    return outline(source.id, text, list(_markdown_marks(text)))


def _markdown_marks(text: str) -> Iterator[Mark]:
    """Headings of the page itself; those inside a list or a quotation belong to that."""
    tokens = MarkdownIt("commonmark").parse(text)
    lines = [0, *(newline.end() for newline in re.finditer("\n", text)), len(text)]
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.level == 0 and opening.map:
            first, after = opening.map
            yield Mark(HEADINGS.index(opening.tag) + 1, _words(inline), lines[first], lines[after])


def _words(inline: Token) -> str:
    seen = [child for child in inline.children or () if child.type in ("text", "code_inline", "softbreak")]
    return "".join(child.content or " " for child in seen)


def _html(source: Source) -> Document:
    tree = LexborHTMLParser(NONCHARACTERS.sub("", _decoded(source)))
    tree.strip_tags(UNSEEN, recursive=True)
    _mark_blocks(tree)
    text, marks = "", []
    for block in tree.body.text().split(BREAK) if tree.body else ():
        level, words = LEVELS.get(block[:1], 0), _tidy(block)
        if level:
            marks.append(Mark(level, words, len(text), len(text) + len(words)))
        text += words + "\n\n" if words else ""
    title = tree.css_first("title")
    return outline(source.id, text, marks, Facts(_tidy(title.text()) if title else ""))


def _mark_blocks(tree: LexborHTMLParser) -> None:
    """Put a sign into the text wherever a block begins or ends, so that it survives the removal of the elements."""
    signs = {BLOCKS: "", "pre": VERBATIM} | dict(zip(HEADINGS, LEVELS, strict=True))
    for selector, sign in signs.items():
        for node in tree.css(selector):
            node.insert_before(BREAK + sign)
            node.insert_after(BREAK)
    for cell in tree.css("td, th"):
        cell.insert_after(" ")


def _tidy(block: str) -> str:
    """White space as a browser shows it: kept in <pre>, run together elsewhere."""
    words = NONCHARACTERS.sub("", block)
    return words.strip("\n") if block.startswith(VERBATIM) else " ".join(words.split())


def _pdf(source: Source) -> Document:
    from pypdf import PdfReader  # 10 MB, which a gateway that parses nothing need not have

    try:
        reader = PdfReader(io.BytesIO(source.data))
        title = _valid(str((reader.metadata and reader.metadata.title) or ""))
        pages = [_valid(page.extract_text()).strip() for page in reader.pages]
    except Exception as error:  # over a broken file pypdf raises whatever it stumbles upon
        raise Unreadable(source.id, f"is encrypted or no valid PDF ({type(error).__name__})") from error
    text, marks = "", []
    for number, page in enumerate(pages, 1):
        marks.append(Mark(2, f"page {number}", len(text), len(text)))
        text += page + "\n\n"
    return outline(source.id, text, marks, Facts(title))


def _valid(text: str) -> str:
    """Without the lone surrogates that a font's faulty table can give."""
    return text.encode("utf-8", "replace").decode()


FORMATS: Final[Mapping[str, Callable[[Source], Document]]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".txt": _text,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
}
