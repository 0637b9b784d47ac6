from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.document import Document, Source, Unreadable
from retrieval.parsing.formats import BY_SUFFIX, format_of, parse, versions
from tests.retrieval.sections import sections


def parsed(name: str, data: bytes) -> Document:
    format = format_of(name)
    assert format
    return parse(Source(name, data), format)


def test_plain_text_is_one_section_named_after_its_file() -> None:
    assert sections(parsed("notes/plan.txt", b"\xef\xbb\xbf# not a heading\r\ntext\rend\n")) == [
        ("plan", "# not a heading\ntext\nend")
    ]


@pytest.mark.parametrize("name", ["a.MD", "a.b.markdown", "a/b.Py", "x.warc.gz", "x.WARC"])
def test_a_format_is_told_by_the_end_of_the_name(name: str) -> None:
    assert format_of(name)


@pytest.mark.parametrize("name", ["a", "a.gz", "md", "a.md/b", "photo.jpg", ".md"])
def test_what_has_no_format_has_none(name: str) -> None:
    assert format_of(name) is None


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
        ("empty.jsonl", b'{"text": " "}', "holds no text"),
    ],
)
def test_what_gives_no_document_says_why(name: str, data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason) as caught:
        parsed(name, data)
    assert caught.value.path == name


def test_the_versions_of_all_libraries_are_told() -> None:
    assert {"markdown-it-py", "selectolax", "pypdf", "python-docx", "warcio"} <= set(versions())


@given(data=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
@pytest.mark.parametrize("suffix", [".md", ".txt", ".html", ".pdf", ".docx", ".jsonl", ".warc", ".py", ".js"])
def test_no_bytes_give_any_other_exception(suffix: str, data: bytes) -> None:
    assert suffix in BY_SUFFIX
    with suppress(Unreadable):
        sections(parsed(f"any{suffix}", data))
