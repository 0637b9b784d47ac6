import re
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.bounds import Check, either, exactly, flag, integer, json_object, number, one_of, record, several, text

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)
point = record({"x": number(0, 1)}, {"name": text(3)})
CHECKS: list[tuple[Check, list[Any], list[Any]]] = [
    (number(0, 2), [0, 2, 1.5], [-0.001, 2.001, "1", True, None, float("nan"), float("inf")]),
    (integer(1, 4), [1, 4], [0, 5, 1.0, "1", True, None, 10**30]),
    (flag, [True, False], [0, 1, "true", None]),
    (text(3), ["a", "日本語"], ["", "abcd", 7, None]),
    (one_of("a", "b"), ["a", "b"], ["c", "", 7, None, ["a"]]),
    (exactly(False, "no"), [False], [True, 0, None, "false"]),
    (exactly(1, "no"), [1], [2, True, 1.0, "1"]),
    (several(flag, 2), [[], [True], [True, False]], [[1], [True] * 3, True, "tf", {}]),
    (either(flag, text(3)), [True, "a"], [1, "abcd", []]),
    (json_object(20, 2), [{}, {"a": [1]}], [[], None, {"a": "x" * 20}, {"a": [[1]]}, {"a": 2**70}]),
    (point, [{"x": 1}, {"x": 0, "name": "p"}], [{}, {"x": 2}, {"x": 1, "y": 1}, {"x": 1, "name": ""}, [], None]),
]


@pytest.mark.parametrize(("check", "good", "_"), CHECKS)
def test_what_is_within_bounds_is_accepted(check: Check, good: list[Any], _: list[Any]) -> None:
    for value in good:
        check(value)


@pytest.mark.parametrize(("check", "bad"), [(check, value) for check, _, wrong in CHECKS for value in wrong])
def test_what_is_not_is_refused_with_what_is(check: Check, bad: Any) -> None:
    with pytest.raises(ValueError, match=r"must be|must have|may have|is wrong"):
        check(bad)


@given(json_values, st.sampled_from([check for check, _, _ in CHECKS]))
def test_no_value_raises_anything_else(value: Any, check: Check) -> None:
    assert said(check, value)


def valid(check: Check, value: Any) -> bool:
    return jsonschema_rs.validator_for(dict(check.schema)).is_valid(value)


@pytest.mark.parametrize(("check", "good", "bad"), CHECKS)
def test_the_schema_says_what_is_accepted(check: Check, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if not valid(check, value)] == []
    # JSON Schema counts neither bytes nor levels, and to it 1.0 is an integer.
    beyond = [value for value in bad if re.search("bytes|levels|plain", said(check, value)) or type(value) is float]
    assert [value for value in bad if value not in beyond and valid(check, value)] == []


@given(json_values, st.sampled_from([check for check, _, _ in CHECKS]))
def test_what_is_accepted_is_valid_by_the_schema(value: Any, check: Check) -> None:
    assert said(check, value) != "accepted" or valid(check, value)


def said(check: Check, value: Any) -> str:
    try:
        check(value)
    except ValueError as error:
        return str(error)
    return "accepted"


def test_depth_is_measured_without_recursion() -> None:
    nested: Any = {}
    for _ in range(100_000):
        nested = {"a": nested}
    with pytest.raises(ValueError, match="32 levels"):
        json_object(10**9, 32)(nested)
