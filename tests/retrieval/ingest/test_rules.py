import pytest

from retrieval.ingest.rules import Rule, labels


@pytest.mark.parametrize(
    ("match", "name", "expected"),
    [
        ("hr/**", "hr/a.md", True),
        ("hr/**", "hr/x/y/a.md", True),
        ("hr/**", "other/hr/a.md", False),
        ("hr/*", "hr/x/a.md", False),
        ("**/*.md", "a.md", True),
        ("**/*.md", "x/y/a.md", True),
        ("*.md", "x/a.md", False),
        ("**", "x/a.md", True),
        ("?.md", "a.md", True),
        ("?.md", "/.md", False),
        ("a[1].md", "a[1].md", True),
        ("a[1].md", "a1.md", False),
        ("a+(b).md", "a+(b).md", True),
        ("hr/**/x.md", "hr/x.md", True),
        ("**", "line\nend.md", True),
    ],
)
def test_a_pattern_is_of_the_whole_path(match: str, name: str, expected: bool) -> None:
    assert Rule(match).matches(name) is expected


def test_labels_add_up_and_the_last_metadata_counts() -> None:
    rules = [
        Rule("**", (), {"team": "all", "kind": "page"}),
        Rule("hr/**", ("hr", "staff"), {"team": "people"}),
        Rule("hr/pay/**", ("board", "hr")),
    ]
    assert labels(rules, "hr/pay/a.md") == (("board", "hr", "staff"), {"team": "people", "kind": "page"})
    assert labels(rules, "a.md") == ((), {"team": "all", "kind": "page"})
