from retrieval.document import Document, Source
from retrieval.parsing.html import parse
from tests.retrieval.sections import blocks, sections


def html(page: bytes) -> Document:
    return parse(Source("page.html", page))


def test_it_gives_what_a_reader_sees() -> None:
    page = b"""<!doctype html><html><head><title>Tab  title</title><style>p {color: red}</style></head><body>
        <nav><a href="/">Home</a></nav><h1>Cache <b>sizes</b></h1>before <i>in</i>line<p>One
        two.<p>Three.</p>loose<h2>Code</h2><pre>\ndef f():\n    return 1\n</pre><script>alert("x")</script>
        <table><tr><th>a<th>b</tr><tr><td><p>1</p><p>0</p><td>2</tr></table><ul><li>x<li>y</ul><!-- hidden -->"""
    document = html(page)
    assert sections(document) == [
        ("Cache sizes", "before inline\n\nOne two.\n\nThree.\n\nloose"),
        ("Cache sizes > Code", "def f():\n    return 1\n\na | b\n1 0 | 2\n\nx\n\ny"),
    ]
    assert blocks(document) == [("code", "", "def f():\n    return 1"), ("table", "a | b", "a | b\n1 0 | 2")]


def test_a_table_for_the_layout_of_a_page_is_no_table() -> None:
    document = html(b"<table><tr><td><h1>Head</h1>left<td>right<table><tr><td>a<td>b</table></table>")
    assert sections(document) == [("Head", "left\n\nright\n\na | b")]


def test_without_a_heading_it_takes_the_title_of_the_tab() -> None:
    assert html(b"<title> Tab\n title </title>text").title == "Tab title"


def test_meta_elements_and_the_canonical_address_are_read() -> None:
    document = html(
        b'<head><link rel="canonical" href="https://a.example/x">'
        b'<meta name="access" content="hr, board"><meta name=ACCESS content=x>'
        b'<meta name="Author" content="Ada"><meta name="date" content="2026-01-02"><meta name="viewport" content="w">'
        b'<meta name="metadata.team" content="people"></head>text'
    )
    assert document.access == ("board", "hr", "x")
    assert document.metadata == {"author": "Ada", "date": "2026-01-02", "team": "people", "url": "https://a.example/x"}


def test_signs_used_inside_and_deep_nesting_are_survived() -> None:
    assert sections(html("a\ufdd0b&#xFDD1;c".encode())) == [("page", "abc")]
    assert sections(html(b"<div>" * 5000 + b"deep")) == [("page", "deep")]
