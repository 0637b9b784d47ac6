"""Bytes to values: hostile bytes are refused with a place, and never quoted."""

import pytest

from gateway.api.body import Strict, checked, parse
from gateway.errors import InvalidValue
from tests.gateway.api.hostile import BODIES, CANARY


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_hostile_bytes_are_refused_and_not_quoted(body: bytes) -> None:
    with pytest.raises(InvalidValue) as refused:
        parse(body, 32)
    assert CANARY not in refused.value.message
    assert refused.value.message.endswith(".")


def test_a_syntax_error_says_where_it_is() -> None:
    with pytest.raises(InvalidValue, match="line 2, column 6"):
        parse(b'{\n"a": nope}', 32)


def test_the_deepest_allowed_body_passes() -> None:
    assert parse(b'{"a": ' + b"[" * 31 + b"]" * 31 + b"}", 32)


def test_of_a_repeated_name_the_last_value_counts() -> None:
    assert parse(b'{"a": 1, "a": 2}', 32) == {"a": 2}


class Inner(Strict):
    size: int


class Outer(Strict):
    items: list[Inner] = []  # noqa: RUF012 - pydantic copies defaults
    name: str = ""


@pytest.mark.parametrize(
    ("value", "param", "message"),
    [
        ({"items": [{"size": 1}, {}]}, "items[1].size", "items[1].size is required."),
        ({"items": [{"size": "1"}]}, "items[0].size", "items[0].size: Input should be a valid integer."),
        ({"items": [{"size": True}]}, "items[0].size", "items[0].size: Input should be a valid integer."),
        ({"nmae": "x"}, "nmae", "nmae is not a field of this API; remove it or correct its spelling."),
        ({"x" * 500: 1}, "x" * 64, "x" * 64 + " is not a field of this API; remove it or correct its spelling."),
    ],
)
def test_the_first_wrong_field_is_named_by_its_path(value: dict[str, object], param: str, message: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        checked(Outer, value)
    assert (refused.value.param, refused.value.message) == (param, message)
