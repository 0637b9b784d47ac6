import pytest

from retrieval.document import Document, Source, Unreadable
from retrieval.parsing.markdown import parse
from tests.retrieval.sections import blocks, sections


def markdown(text: str) -> Document:
    return parse(Source("docs/kv.md", text.encode()))


def test_the_source_is_kept_below_each_heading() -> None:
    head, size, last = (
        "# The `KV` *cache*\r\n\r\nWhat *it* is.\n\n",
        "## Size\n\n```\n# code\n```\n\n",
        "Set\n===\nend\n> # quoted\n",
    )
    document = markdown(f"---\ntitle: no\n---\n{head}{size}{last}")
    assert document.title == "The KV cache"
    assert sections(document) == [
        ("The KV cache", "What *it* is."),
        ("The KV cache > Size", "```\n# code\n```"),
        ("The KV cache > Set", "end\n> # quoted"),
    ]


def test_tables_and_code_are_known() -> None:
    document = markdown("# T\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\ntext\n\n~~~py\n\nx\n~~~\n\n    indented\n")
    assert blocks(document) == [
        ("table", "| a | b |\n|---|---|\n", "| a | b |\n|---|---|\n| 1 | 2 |\n"),
        ("code", "", "~~~py\n\nx\n~~~\n"),
        ("code", "", "    indented"),
    ]


def test_front_matter_says_what_a_heading_does_not() -> None:
    known = "title: Leave\nauthor: Ada\ndate: 2026-03-01\naccess: [hr, board, hr]"
    document = markdown(f"---\n{known}\nmetadata: {{team: people, year: 2026}}\nother: {{}}\n---\ntext\n")
    assert (document.title, document.access) == ("Leave", ("board", "hr"))
    assert document.metadata == {"author": "Ada", "date": "2026-03-01", "team": "people", "year": "2026"}
    assert sections(document) == [("Leave", "text")]


def test_labels_are_labels_in_capitals_too() -> None:
    assert markdown("---\nAccess: hr\n---\ntext\n").access == ("hr",)
    assert markdown("---\naccess: hr\nAccess: []\n---\ntext\n").access == ("hr",)


def test_a_front_matter_that_does_not_end_is_not_shown_to_all() -> None:
    with pytest.raises(Unreadable, match="does not end"):
        markdown("---\naccess: hr\n\n# Salaries\n")


def test_a_line_at_the_top_is_no_front_matter() -> None:
    assert markdown("---\n\ntext\n").access == ()
    assert markdown("---\n---\ntext\n").text == "text\n"


@pytest.mark.parametrize(
    ("front", "reason"),
    [
        ("access: {hr: 1}", "has a value of type dict as access"),
        ("access: [1]", "has a value of type list as access"),
        ("access: ['']", "has a value of type list as access"),
        ("access: [hr", "front matter that is no valid YAML"),
        ("access: " + "[" * 1000, "front matter that is no valid YAML"),
        ("- hr", "describes itself by a value of type list"),
        ("metadata: [1]", "has a value of type list as metadata"),
        ("metadata: {a: {b: c}}", "has a value of type dict as metadata 'a'"),
    ],
)
def test_what_may_be_a_label_is_understood_or_the_document_refused(front: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason.replace("[", r"\[")):
        markdown(f"---\n{front}\n---\ntext\n")
