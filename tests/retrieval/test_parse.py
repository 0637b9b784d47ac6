from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.document import Document, Source, Unreadable
from retrieval.parse import FORMATS, parse


def sections(document: Document) -> list[tuple[str, str]]:
    for section in document.sections:
        assert document.text[section.start :].startswith(section.text)
    return [(" > ".join(section.heading_path), section.text) for section in document.sections]


def test_markdown_keeps_its_source_below_each_heading() -> None:
    head, size, last = (
        "# The `KV` *cache*\r\n\r\nWhat *it* is.\n\n",
        "## Size\n\n```\n# code\n```\n\n",
        "Set\n===\nend\n> # quoted\n",
    )
    document = parse(Source("kv.md", f"---\ntitle: no\n---\n{head}{size}{last}".encode()))
    assert document.title == "The KV cache"
    assert sections(document) == [
        ("The KV cache", "What *it* is."),
        ("The KV cache > Size", "```\n# code\n```"),
        ("The KV cache > Set", "end\n> # quoted"),
    ]


def test_plain_text_is_one_section_named_after_its_file() -> None:
    assert sections(parse(Source("notes/plan.txt", b"\xef\xbb\xbf# not a heading\r\ntext\rend\n"))) == [
        ("plan", "# not a heading\ntext\nend")
    ]


def test_html_gives_what_a_reader_sees() -> None:
    page = b"""<!doctype html><html><head><title>Tab  title</title><style>p {color: red}</style></head><body>
        <nav><a href="/">Home</a></nav><h1>Cache <b>sizes</b></h1>before <i>in</i>line<p>One
        two.<p>Three.</p>loose<h2>Code</h2><pre>\ndef f():\n    return 1\n</pre><script>alert("x")</script>
        <table><tr><th>a<th>b</tr><tr><td>1<td>2</tr></table><ul><li>x<li>y</ul><!-- hidden --></body></html>"""
    assert sections(parse(Source("page.html", page))) == [
        ("Cache sizes", "before inline\n\nOne two.\n\nThree.\n\nloose"),
        ("Cache sizes > Code", "def f():\n    return 1\n\na b\n\n1 2\n\nx\n\ny"),
    ]


def test_html_without_a_heading_takes_the_title_of_the_tab() -> None:
    assert parse(Source("page.htm", b"<title> Tab\n title </title>text")).title == "Tab title"


def test_html_that_holds_the_signs_used_inside_or_is_nested_deep_is_still_read() -> None:
    assert sections(parse(Source("page.html", "a\ufdd0b&#xFDD1;c".encode()))) == [("page", "abc")]
    assert sections(parse(Source("page.html", b"<div>" * 5000 + b"deep"))) == [("page", "deep")]


def test_pdf_has_a_section_for_each_page(pdf: Callable[[list[str]], bytes]) -> None:
    document = parse(Source("guide.pdf", pdf(["Blocks of the KV cache", "", "The last page"])))
    assert sections(document) == [("guide > page 1", "Blocks of the KV cache"), ("guide > page 3", "The last page")]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("latin.txt", "caf\xe9".encode("latin-1"), "not UTF-8 from byte 3"),
        ("utf16.html", "text".encode("utf-16"), "not UTF-8 from byte 0"),
        ("binary.md", b"text\0more", "NUL bytes"),
        ("empty.md", b"", "holds no text"),
        ("blank.txt", b" \n\t\n", "holds no text"),
        ("only.md", b"# A heading\n", "holds no text"),
        ("script.html", b"<script>alert(1)</script>", "holds no text"),
        ("broken.pdf", b"%PDF-1.4\n1 0 obj <<", "no valid PDF"),
        ("lie.pdf", b"plain text", "no valid PDF"),
        ("sheet.xlsx", b"PK", "is none of .md"),
    ],
)
def test_what_gives_no_document_says_why(name: str, data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason) as caught:
        parse(Source(name, data))
    assert caught.value.path == name


def test_a_pdf_without_text_is_refused(pdf: Callable[[list[str]], bytes]) -> None:
    with pytest.raises(Unreadable, match="holds no text"):
        parse(Source("scan.pdf", pdf(["", ""])))


@given(data=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
@pytest.mark.parametrize("suffix", list(FORMATS))
def test_no_bytes_give_any_other_exception(suffix: str, data: bytes) -> None:
    with suppress(Unreadable):
        sections(parse(Source(f"any{suffix}", data)))


def test_damaged_pdfs_are_refused_or_read(pdf: Callable[[list[str]], bytes]) -> None:
    whole = pdf(["one page of text"])
    for at in range(0, len(whole), 3):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 8]) + whole[at + 1 :]):
            with suppress(Unreadable):
                parse(Source("damaged.pdf", damaged))
