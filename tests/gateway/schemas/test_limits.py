"""What is too much is said with its number, the limit and a way out."""

from typing import Any

import pytest

from gateway.schemas.limits import PATTERN, VALUES, TooMuch, bounded, written
from serving.shapes import SCHEMA_BYTES as BYTES
from serving.shapes import SCHEMA_LEVELS as DEPTH
from tests.gateway.schemas.hostile import negated


def check(schema: dict[str, Any]) -> None:
    bounded(schema, written(schema))


def test_a_schema_within_all_limits_is_written_with_sorted_keys() -> None:
    assert written({"type": "object", "properties": {}}) == b'{"properties":{},"type":"object"}'
    check(negated(DEPTH - 1))
    check({"enum": list(range(VALUES))})
    check({"pattern": "a" * PATTERN})
    check({"properties": {"enum": {}, "pattern": {}, "patternProperties": {}}})  # names, no keywords


@pytest.mark.parametrize(
    ("schema", "number"),
    [
        (negated(DEPTH), f"{DEPTH + 1} levels"),
        (negated(100_000), f"{DEPTH + 1} levels"),
        ({"anyOf": [{"enum": list(range(VALUES))}, {"enum": [0]}]}, f"{VALUES + 1:,} values"),
        ({"items": {"pattern": "a" * (PATTERN + 1)}}, f"{PATTERN + 1:,} characters"),
        ({"patternProperties": {"a" * (PATTERN + 1): {}}}, f"{PATTERN + 1:,} characters"),
        ({"title": "a" * BYTES}, f"{BYTES + 12:,} bytes"),
    ],
)
def test_what_is_above_one_is_refused(schema: dict[str, Any], number: str) -> None:
    with pytest.raises(TooMuch, match=r"at most: \w") as caught:
        check(schema)
    assert number in str(caught.value)
