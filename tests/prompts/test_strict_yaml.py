"""YAML in a header holds no surprises."""

import pytest
import yaml

from prompts.strict_yaml import load


def test_words_stay_words() -> None:
    text = "[off, on, yes, no, Yes, NO, 2026-11-01, true, false, null, 1, 1.5]"
    assert load(text) == ["off", "on", "yes", "no", "Yes", "NO", "2026-11-01", True, False, None, 1, 1.5]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: 2\na: 3", 2, "duplicate key 'a'"),
        ("o:\n  a: 1\n  a: 2", 2, "duplicate key 'a'"),
        ("a: &x [1]\nb: *x", 1, "aliases are not allowed"),
        ("a: &x {b: 1}\nc:\n  <<: *x", 2, "aliases are not allowed"),
        ("a: !!python/object/apply:os.system ['true']", 0, "could not determine a constructor"),
        ("? [a, b]\n: 1", 0, "found unhashable key"),
    ],
)
def test_surprises_are_refused_with_their_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(yaml.MarkedYAMLError) as caught:
        load(text)
    assert problem in str(caught.value.problem)
    assert caught.value.problem_mark is not None
    assert caught.value.problem_mark.line == line
