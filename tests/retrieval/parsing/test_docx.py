import io
import zipfile
from contextlib import suppress
from datetime import datetime

import docx
import pytest
from docx.enum.style import WD_STYLE_TYPE

from retrieval.document import Source, Unreadable
from retrieval.parsing.docx import MAX_UNPACKED, parse
from tests.retrieval.sections import blocks, sections


def made() -> bytes:
    word = docx.Document()
    word.core_properties.author, word.core_properties.modified = "Ada", datetime(2026, 1, 2)
    word.styles.add_style("Source Code", WD_STYLE_TYPE.PARAGRAPH)
    word.add_heading("Leave", 0)
    word.add_paragraph("Who works  here has leave.")
    word.add_heading("Days", 1)
    table = word.add_table(2, 2)
    for row, texts in zip(table.rows, (("role", "days"), ("cook", "30")), strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    word.add_paragraph("def days():", "Source Code")
    word.add_paragraph("    return 30", "Source Code")
    word.add_paragraph("One", "List Bullet")
    file = io.BytesIO()
    word.save(file)
    return file.getvalue()


def test_headings_tables_code_and_properties_are_kept() -> None:
    document = parse(Source("leave.docx", made()))
    assert sections(document) == [
        ("Leave", "Who works here has leave."),
        ("Leave > Days", "role | days\ncook | 30\n\ndef days():\n    return 30\n\nOne"),
    ]
    assert blocks(document) == [
        ("table", "role | days", "role | days\ncook | 30"),
        ("code", "", "def days():\n    return 30"),
    ]
    assert document.metadata == {"author": "Ada", "date": "2026-01-02T00:00:00+00:00"}


def test_what_unpacks_to_too_much_is_refused_unread() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("word/document.xml", "w") as part:
        for _ in range(MAX_UNPACKED // 2**20 + 1):
            part.write(bytes(2**20))
    with pytest.raises(Unreadable, match=r"unpacks to 210,763,776 bytes, more than 209,715,200"):
        parse(Source("bomb.docx", file.getvalue()))


@pytest.mark.parametrize("data", [b"", b"PK", b"no archive"])
def test_what_is_no_docx_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable, match="no valid DOCX"):
        parse(Source("broken.docx", data))


def test_damaged_ones_are_refused_or_read() -> None:
    whole = made()
    for at in range(0, len(whole), len(whole) // 20):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 8]) + whole[at + 1 :]):
            with suppress(Unreadable):
                parse(Source("damaged.docx", damaged))
