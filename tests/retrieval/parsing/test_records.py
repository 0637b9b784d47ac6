import io
import json

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from retrieval.document import MAX_BYTES, Document, Source, Unreadable
from retrieval.parsing.formats import format_of, parse
from retrieval.parsing.records import line, lines, pages


def of(fields: object) -> Document:
    return line(Source("all.jsonl/1f", json.dumps(fields).encode()))


def warc(answers: list[tuple[str, str, str, bytes]]) -> bytes:
    file = io.BytesIO()
    writer = WARCWriter(file, gzip=True)
    for url, status, kind, body in answers:
        http = StatusAndHeaders(status, [("Content-Type", kind)], protocol="HTTP/1.1")
        writer.write_record(writer.create_warc_record(url, "response", io.BytesIO(body), http_headers=http))
    return file.getvalue()


def test_a_line_is_a_document() -> None:
    document = of(
        {"id": 7, "title": "T", "text": "a\r\nb", "access": ["hr"], "metadata": {"n": 1, "b": True, "x": None}}
    )
    assert (document.id, document.title, document.text) == ("all.jsonl/7", "T", "a\nb")
    assert (document.access, document.metadata) == (("hr",), {"n": "1", "b": "true"})
    assert of({"_id": "d/1", "text": "BEIR's own"}).id == "all.jsonl/d/1"
    assert of({"text": "no id"}).id == "all.jsonl/1f"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "no valid JSON .Expecting property name"),
        (b"[1]", "no JSON object"),
        (b"[" * 100_000, "no valid JSON"),
        (b"\xff", "no valid JSON"),
        (b'{"text": 1}', 'no "text"'),
        (b'{"text": "a", "id": []}', '"id" that is neither'),
        (b'{"text": "a", "id": true}', '"id" that is neither'),
        (b'{"text": "a", "access": 1}', "as access"),
    ],
)
def test_a_bad_line_says_what_is_wrong(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        line(Source("all.jsonl/1f", data))


def test_a_line_keeps_its_name_wherever_it_stands() -> None:
    before, after = [list(lines(io.BytesIO(text), "a.jsonl")) for text in (b"one\n\ntwo\n", b"new\none\ntwo\n")]
    assert [(one.id, one.at) for one in before] == [(before[0].id, "line 1"), (before[1].id, "line 3")]
    assert [one.id for one in after[1:]] == [one.id for one in before]


def test_a_line_without_end_is_skipped_over() -> None:
    file = io.BytesIO(b"short\n" + b"x" * (2 * MAX_BYTES + 10) + b"\nlast")
    found = list(lines(file, "a.jsonl"))
    assert [(one.at, one.data, bool(one.problem)) for one in found] == [
        ("line 1", b"short\n", False),
        ("line 2", b"", True),
        ("line 3", b"last", False),
    ]


def test_a_crawl_gives_its_pages() -> None:
    file = io.BytesIO(
        warc(
            [
                ("https://a.example/", "200 OK", "text/html; charset=utf-8", b"<title>Home</title>Welcome"),
                ("https://a.example/x.png", "200 OK", "image/png", b"\x89PNG"),
                ("https://a.example/gone", "404 Not Found", "text/html", b"gone"),
                ("https://a.example/b?c", "200 OK", "text/html", b'<link rel=canonical href="https://a.example/b">B'),
            ]
        )
    )
    format = format_of("crawl.warc.gz")
    assert format
    documents = [parse(source, format) for source in pages(file, "crawl.warc.gz")]
    assert [(one.id, one.title, one.metadata["url"]) for one in documents] == [
        ("crawl.warc.gz/https://a.example/", "Home", "https://a.example/"),
        ("crawl.warc.gz/https://a.example/b?c", "b?c", "https://a.example/b"),
    ]
