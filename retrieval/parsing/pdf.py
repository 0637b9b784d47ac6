"""PDF through pypdf: a section for each page, and no more structure than the format keeps."""

import io
from typing import TYPE_CHECKING, Final

from retrieval.document import Document, Facts, Mark, Source, Unreadable, outline
from retrieval.encodable import encodable
from retrieval.parsing.facts import plain
from retrieval.parsing.text import bounded

if TYPE_CHECKING:
    from pypdf import PdfReader

LIBRARIES: Final = ("pypdf",)
MAX_PAGES: Final = 5_000  # the longest manuals have some 4,000


def parse(source: Source) -> Document:
    from pypdf import PdfReader  # 10 MB, which a build without PDFs need not have

    try:
        reader = PdfReader(io.BytesIO(source.data))
        if len(reader.pages) > MAX_PAGES:
            raise Unreadable(source.id, f"has {len(reader.pages):,} pages, more than {MAX_PAGES:,}: split it")
        said = _said(reader)
        pages: list[str] = []
        for page in reader.pages:
            pages.append(encodable(page.extract_text()).strip())
            bounded(source.id, sum(map(len, pages)))
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # over a broken file pypdf raises whatever it stumbles upon
        raise Unreadable(source.id, f"is encrypted or no valid PDF ({type(error).__name__})") from error
    text, marks = "", []
    for number, words in enumerate(pages, 1):
        marks.append(Mark(2, f"page {number}", len(text), len(text)))
        text += words + "\n\n"
    return outline(source.id, text, marks, said)


def _said(reader: "PdfReader") -> Facts:
    about = reader.metadata
    if about is None:
        return Facts()
    title, *rest = (encodable(str(value or "")) for value in (about.title, about.author, about.creation_date_raw))
    return Facts(title, (), plain(zip(("author", "date"), rest, strict=True)))
