"""Word's DOCX through python-docx: headings, lists, tables and code by the names of their styles."""

import io
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from retrieval.document import Block, Document, Facts, Mark, Source, Unreadable, outline
from retrieval.encodable import encodable
from retrieval.parsing.facts import plain
from retrieval.parsing.text import bounded

if TYPE_CHECKING:
    from docx.document import Document as Word
    from docx.table import Table
    from docx.text.paragraph import Paragraph

LIBRARIES: Final = ("python-docx",)
MAX_UNPACKED: Final = 200 * 2**20  # bytes; pictures count, and are not read
CODE: Final = ("code", "preformatted", "source", "listing")  # in the names of styles for code


def parse(source: Source) -> Document:
    from docx import Document as opened  # lxml: 15 MB, which a build without DOCX need not have

    try:
        _unpackable(source)
        word = opened(io.BytesIO(source.data))
        page = _Page(source.id)
        for block in word.iter_inner_content():
            page.add(block)
        return outline(source.id, "".join(page.text), page.marks, _said(word), page.blocks)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # over a broken file python-docx, lxml and zipfile raise whatever they stumble upon
        raise Unreadable(source.id, f"is encrypted or no valid DOCX ({type(error).__name__})") from error


def _unpackable(source: Source) -> None:
    """What a ZIP says about its sizes holds: zipfile reads no more of an entry than that."""
    with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > MAX_UNPACKED:
        raise Unreadable(source.id, f"unpacks to {size:,} bytes, more than {MAX_UNPACKED:,}: no document needs that")


class _Page:
    """The text so far, in pieces, with the headings, tables and code in it."""

    def __init__(self, source_id: str) -> None:
        self.text: list[str] = []
        self.marks: list[Mark] = []
        self.blocks: list[Block] = []
        self._id = source_id
        self._end = 0

    def add(self, block: "Paragraph | Table") -> None:
        from docx.table import Table

        if isinstance(block, Table):
            self._add_table(block)
        elif block.text.strip():
            self._add_paragraph(block)

    def _add_table(self, table: "Table") -> None:
        rows = list(filter(None, _rows(table)))
        if rows:
            start = self._append("\n".join(rows))
            self.blocks.append(Block("table", start, self._end - 2, start + len(rows[0])))

    def _add_paragraph(self, paragraph: "Paragraph") -> None:
        style = str((paragraph.style and paragraph.style.name) or "").lower()
        code = any(word in style for word in CODE)
        start = self._append(encodable(paragraph.text) if code else " ".join(encodable(paragraph.text).split()))
        if level := _level(style):
            self.marks.append(Mark(level, self.text[-1].strip(), start, self._end - 2))
        elif code:
            self._add_code(start)

    def _add_code(self, start: int) -> None:
        """Word makes a paragraph of each line: lines that follow one another are one block."""
        last = self.blocks[-1] if self.blocks else None
        if last and last.kind == "code" and last.end + 2 == start:
            self.text[-2] = self.text[-2].removesuffix("\n\n") + "\n"
            self._end -= 1
            self.blocks[-1] = Block("code", last.start, self._end - 2)
        else:
            self.blocks.append(Block("code", start, self._end - 2))

    def _append(self, words: str) -> int:
        start = self._end
        self.text.append(words + "\n\n")
        self._end += len(words) + 2
        bounded(self._id, self._end)
        return start


def _level(style: str) -> int:
    """Word's "Title" heads the document, its "Heading 1" to "Heading 9" the parts."""
    name, _, number = style.partition(" ")
    return 1 if style == "title" else int(number) if name == "heading" and number.isdecimal() else 0


def _rows(table: "Table") -> Iterator[str]:
    for row in table.rows:
        cells = [" ".join(encodable(cell.text).split()) for cell in row.cells]
        yield " | ".join(cells) if any(cells) else ""


def _said(word: "Word") -> Facts:
    about = word.core_properties
    date = about.modified or about.created
    return Facts(
        encodable(about.title or ""), (), plain((("author", about.author), ("date", date and date.isoformat())))
    )
