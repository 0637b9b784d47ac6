"""What the engine takes and then fails on is found before it is sent."""

from typing import Any

import pytest

from gateway.linting import breaking

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
