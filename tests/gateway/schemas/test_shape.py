"""How much work a schema can be: alternatives multiply, properties do not, recursion is told whether it branches."""

from typing import Any

import pytest

from gateway.schemas.shape import shape
from tests.gateway.schemas.hostile import branching, chained, nested

TREE = {"type": "object", "properties": {"value": {}, "children": {"type": "array", "items": {"$ref": "#"}}}}
PAIR = {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}
LINKED = {"anyOf": [{"type": "null"}, {"properties": {"next": {"$ref": "#"}}}]}


def test_alternatives_multiply_written_out_or_by_reference() -> None:
    assert shape(nested(3)).comparisons == 1 + 3 * (1 + 3 * (1 + 3 * 2))
    assert shape(chained(3)).comparisons == 1 + (1 + 3 * (1 + (1 + 3 * (1 + (1 + 3 * (1 + 1))))))
    assert shape(chained(3, "allOf")).comparisons == shape(chained(3)).comparisons


def test_members_have_places_of_their_own() -> None:
    wide = {"properties": {f"p{n}": {"type": "string"} for n in range(100)}}
    assert shape(wide).comparisons == 2
    assert shape(wide).subschemas == 101
    assert shape({"patternProperties": {"a": {}, "b": {}}}).comparisons == 3  # one name may match both


@pytest.mark.parametrize("schema", [TREE, PAIR, LINKED, {"additionalProperties": {"$ref": "#"}}])
def test_recursion_that_meets_each_place_once_is_bounded(schema: dict[str, Any]) -> None:
    assert not shape(schema).open
    assert shape(schema).comparisons < 10


@pytest.mark.parametrize(
    "schema",
    [
        branching(),
        {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {
            "anyOf": [{"$ref": "#/$defs/a"}],
            "$defs": {"a": {"properties": {"x": {"$ref": "#"}}, "anyOf": [{"$ref": "#"}]}},
        },
        {"properties": {"a": {"$ref": "#"}}, "patternProperties": {"^a": {"$ref": "#"}}},
        {"items": {"$ref": "#"}, "contains": {"$ref": "#"}},
    ],
)
def test_recursion_that_branches_is_open(schema: dict[str, Any]) -> None:
    assert shape(schema).open


@pytest.mark.parametrize(
    "schema",
    [
        {"$dynamicRef": "#x"},
        {"properties": {"a": {"$id": "https://example.com/a"}}},
        {"$ref": "#anchor"},
        {"$ref": "https://example.com/other"},
        {"$ref": "#/$defs/missing"},
        {"format": "regex"},
    ],
)
def test_what_is_not_followed_is_open(schema: dict[str, Any]) -> None:
    assert shape(schema).open


def test_references_are_json_pointers() -> None:
    odd = {"$ref": "#/$defs/a~1b%25/0", "$defs": {"a/b%": [{"type": "null"}]}}
    assert (shape(odd).open, shape(odd).subschemas) == (False, 2)


@pytest.mark.parametrize(
    ("pattern", "most"),
    [
        ("^a+$", 4),
        ("[0-9a-f]{8}-[0-9a-f]{4}", 300),
        ("(a{100}){100}", 200_000),
        ("a{9}{9}{9}", 10_000),
        ("\\p{L}", 600),
    ],
)
def test_a_pattern_counts_as_its_repetitions_written_out(pattern: str, most: int) -> None:
    assert most // 10 < shape({"pattern": pattern}).patterns <= most
    assert shape({"patternProperties": {pattern: {}}}).patterns == shape({"pattern": pattern}).patterns
