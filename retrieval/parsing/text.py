"""Bytes to text, the same for every format that is text; and plain text as a document."""

from typing import Final

from retrieval.document import MAX_TEXT, Document, Source, Unreadable, outline

LIBRARIES: Final = ()


def decoded(source: Source) -> str:
    """UTF-8 with or without a mark, line ends made "\\n". Raises Unreadable."""
    try:
        text = source.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(
            source.id, f"is not UTF-8 from byte {error.start} on: convert it, for example with iconv"
        ) from error
    if "\0" in text:
        raise Unreadable(source.id, "holds NUL bytes: it is no text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def bounded(source_id: str, length: int) -> None:
    """Raises Unreadable once a file has unfolded into more characters than a document may have."""
    if length > MAX_TEXT:
        raise Unreadable(source_id, f"unfolds into more than {MAX_TEXT:,} characters: split it")


def parse(source: Source) -> Document:
    return outline(source.id, decoded(source), [])
