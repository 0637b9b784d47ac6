"""Files of many documents: JSON lines, and the WARC of a web crawl.

Invariants: one record is in memory at a time, and no more than MAX_BYTES of it; a record that is broken is the failure
of that record; what comes of a record depends on nothing but its bytes and the id of its file.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Any, Final

from retrieval.document import MAX_BYTES, Document, Source, Unreadable, outline
from retrieval.encodable import encodable
from retrieval.parsing import html
from retrieval.parsing.facts import facts

LIBRARIES: Final = ("warcio", *html.LIBRARIES)


def lines(file: IO[bytes], source_id: str) -> Iterator[Source]:
    """The lines of a file, blank ones left out; they are named by their digest, so that none changes its name because
    another was put before it. One that is too long is skipped over, a piece at a time."""
    number = 0
    while line := file.readline(MAX_BYTES + 1):
        number += 1
        name = f"{source_id}/{hashlib.sha256(line).hexdigest()[:12]}"
        if len(line) > MAX_BYTES:
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_BYTES)
            yield Source(name, b"", f"is longer than {MAX_BYTES // 2**20} MiB: split the document", f"line {number}")
        elif line.strip():
            yield Source(name, line, at=f"line {number}")


def line(source: Source) -> Document:
    """A document of JSON: `text`, and where there are any `id` (or BEIR's `_id`), `title`, `access`, `metadata`."""
    fields = _object(source)
    words = fields.get("text")
    if not isinstance(words, str):
        raise Unreadable(source.id, 'has no "text" that is a string')
    name = fields.get("id", fields.get("_id"))
    if name is not None and (isinstance(name, bool) or not isinstance(name, str | int) or not str(name).strip()):
        raise Unreadable(source.id, 'has an "id" that is neither a string nor a number')
    file = source.id.rpartition("/")[0]
    said = facts(source.id, fields)
    plain = encodable(words.replace("\0", " ").replace("\r\n", "\n").replace("\r", "\n"))
    return outline(source.id if name is None else f"{file}/{encodable(str(name))}", plain, [], said)


def pages(file: IO[bytes], source_id: str) -> Iterator[Source]:
    """The HTML pages of a crawl that were answered with 200, each named by its address (ISO 28500)."""
    from warcio.archiveiterator import ArchiveIterator

    for record in ArchiveIterator(file):
        if record.rec_type == "response" and _is_page(record):
            name = f"{source_id}/{encodable(str(record.rec_headers.get_header('WARC-Target-URI')))}"
            data = record.content_stream().read(MAX_BYTES + 1)
            yield Source(name, data, _incomplete(record, data))


def _incomplete(record: Any, data: bytes) -> str:
    if len(data) > MAX_BYTES:
        return f"is larger than {MAX_BYTES // 2**20} MiB"
    rest = record.raw_stream  # warcio itself takes the end of a file for the end of a record
    return "" if rest.read(1) or not rest.limit else f"breaks off {rest.limit} bytes before its end"


def page(source: Source) -> Document:
    """The page, with its address as metadata `url` where it names no canonical one."""
    document = html.parse(source)
    file, _, address = source.id.partition("/http")
    return replace(document, metadata={"url": f"http{address}" if file else "", **document.metadata})


def _object(source: Source) -> dict[str, Any]:
    try:
        fields = json.loads(source.data)
    except (ValueError, RecursionError) as error:
        raise Unreadable(source.id, f"is no valid JSON ({_where(error)})") from error
    if not isinstance(fields, dict):
        raise Unreadable(source.id, "is no JSON object")
    return fields


def _where(error: Exception) -> str:
    return f"{error.msg} at character {error.pos}" if isinstance(error, json.JSONDecodeError) else type(error).__name__


def _is_page(record: Any) -> bool:
    http = record.http_headers
    return bool(http) and http.get_statuscode() == "200" and "html" in (http.get_header("Content-Type") or "").lower()
