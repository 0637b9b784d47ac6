"""What the engine takes and then fails on is found before it is sent."""

from typing import Any

import pytest

from gateway.linting import breaking, relaxed

TEXT = {"type": "string"}


@pytest.mark.parametrize(
    "schema",
    [
        TEXT | {"pattern": "^[a-z]{1,129}$"},
        TEXT | {"pattern": "^a{129}$"},
        {"type": "array", "items": TEXT | {"pattern": "^a{200,}$"}},
        {"type": "object", "patternProperties": {"^.{0,256}$": {}}},
        {"$ref": "#/$defs/x", "$defs": {"x": TEXT | {"pattern": "a{500}"}}},
    ],
)
def test_counts_beyond_the_engines_own_are_found(schema: dict[str, Any]) -> None:
    assert "beyond 128" in (breaking(schema) or "")


@pytest.mark.parametrize(
    "schema",
    [
        TEXT | {"pattern": "^[a-z]{1,128}$"},
        TEXT | {"pattern": "^\\{999}$"},
        TEXT | {"pattern": "^[{999}]$"},
        TEXT | {"description": "{999}", "maxLength": 999},
        {"type": "integer", "$defs": {"unused": TEXT | {"pattern": "a{500}"}}},
    ],
)
def test_others_are_not(schema: dict[str, Any]) -> None:
    assert breaking(schema) is None


def _optional(count: int, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {f"p{index}": TEXT for index in range(count)}, **more}


def _alternatives(count: int) -> dict[str, Any]:
    return TEXT | {"pattern": "^(" + "|".join(f"(x{index}.{{0,20}})+" for index in range(count)) + ")*$"}


def test_patterns_that_take_the_engine_long_are_found() -> None:
    assert breaking(_alternatives(3)) is None
    assert "steps" in (breaking(_alternatives(40)) or "")


def test_many_properties_that_may_be_left_out_are_found() -> None:
    assert breaking(_optional(250)) is None
    assert "more than 250" in (breaking(_optional(251)) or "")
    assert breaking(_optional(800, required=[f"p{index}" for index in range(800)])) is None


def test_many_numbers_with_bounds_are_found() -> None:
    bounded = [{"type": "number", "minimum": 0.5}] * 61
    assert breaking({"type": "array", "prefixItems": bounded[1:]}) is None
    assert "61 numbers" in (breaking({"type": "array", "prefixItems": bounded}) or "")


@pytest.mark.parametrize(
    "schema",
    [
        TEXT | {"pattern": "^a{129}$"},
        _alternatives(40),
        _optional(1500),
        {"type": "array", "prefixItems": [{"type": "number", "minimum": 0.5}] * 61},
    ],
)
def test_what_breaks_the_engine_is_not_sent_to_it(schema: dict[str, Any]) -> None:
    sent = relaxed(schema)
    assert breaking(sent.schema) is None
    assert sent.dropped
