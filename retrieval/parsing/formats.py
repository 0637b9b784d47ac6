"""Which format a file has, and what reads it. Each format's own module knows the rest."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import IO, Final

from retrieval.document import MAX_BYTES, Document, Source, Unreadable
from retrieval.parsing import code, docx, html, markdown, pdf, records, text

_version = cache(version)  # which reads a file: 2 ms that each document would take


def whole(file: IO[bytes], source_id: str) -> Iterator[Source]:
    """The one document of a file."""
    data = file.read(MAX_BYTES + 1)
    too_large = len(data) > MAX_BYTES
    yield Source(source_id, data, f"is larger than {MAX_BYTES // 2**20} MiB: split it" if too_large else "")


@dataclass(frozen=True, slots=True)
class Format:
    """`sources` cuts a file into documents, `parse` makes one of each or raises Unreadable; `libraries` are those that
    the result depends on, and `edition` is raised with every change here that alters it."""

    suffixes: tuple[str, ...]
    parse: Callable[[Source], Document]
    libraries: tuple[str, ...]
    sources: Callable[[IO[bytes], str], Iterator[Source]] = whole
    edition: int = 1

    def versions(self) -> dict[str, str]:
        return {name: _version(name) for name in self.libraries}


FORMATS: Final = (
    Format((".md", ".markdown"), markdown.parse, markdown.LIBRARIES, edition=2),
    Format((".txt",), text.parse, text.LIBRARIES),
    Format((".html", ".htm", ".xhtml"), html.parse, html.LIBRARIES),
    Format((".pdf",), pdf.parse, pdf.LIBRARIES),
    Format((".docx",), docx.parse, docx.LIBRARIES),
    Format((".jsonl",), records.line, (), records.lines),
    Format((".warc", ".warc.gz"), records.page, records.LIBRARIES, records.pages),
    Format(code.SUFFIXES, code.parse, code.LIBRARIES),
)
BY_SUFFIX: Final[Mapping[str, Format]] = {suffix: format for format in FORMATS for suffix in format.suffixes}


def format_of(name: str) -> Format | None:
    """The format of a file by the end of its name."""
    suffixes = PurePosixPath(name.lower()).suffixes[-2:]
    return BY_SUFFIX.get("".join(suffixes)) or BY_SUFFIX.get("".join(suffixes[-1:]))


def versions() -> dict[str, str]:
    """The libraries that documents depend on."""
    return {name: number for format in FORMATS for name, number in format.versions().items()}


def parse(source: Source, format: Format) -> Document:
    """The document in a source. Raises Unreadable."""
    if source.problem:
        raise Unreadable(source.id, source.problem)
    document = format.parse(source)
    if not document.sections:
        raise Unreadable(source.id, "holds no text")
    return document
