from collections.abc import Callable
from contextlib import suppress

import pytest

from retrieval.document import Source, Unreadable
from retrieval.parsing import pdf as module
from retrieval.parsing.pdf import parse
from tests.retrieval.sections import sections

Pdf = Callable[[list[str]], bytes]


def test_each_page_is_a_section(pdf: Pdf) -> None:
    document = parse(Source("guide.pdf", pdf(["Blocks of the KV cache", "", "The last page"])))
    assert sections(document) == [("guide > page 1", "Blocks of the KV cache"), ("guide > page 3", "The last page")]


@pytest.mark.parametrize("data", [b"%PDF-1.4\n1 0 obj <<", b"plain text", b""])
def test_what_is_no_pdf_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable, match="no valid PDF"):
        parse(Source("broken.pdf", data))


def test_too_many_pages_are_refused(pdf: Pdf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PAGES", 2)
    with pytest.raises(Unreadable, match="has 3 pages, more than 2"):
        parse(Source("long.pdf", pdf(["a", "b", "c"])))


def test_damaged_ones_are_refused_or_read(pdf: Pdf) -> None:
    whole = pdf(["one page of text"])
    for at in range(0, len(whole), 3):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 8]) + whole[at + 1 :]):
            with suppress(Unreadable):
                parse(Source("damaged.pdf", damaged))
