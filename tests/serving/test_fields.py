"""Fields of a request: allowed within bounds, handled, or refused. The engine's view: `test_fields_on_engine.py`."""

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.fields import COMPLETIONS, FieldError, Table, allowed
from tests.serving.bounds import BOUNDS, TABLES

INSIDE = [
    (path, name, value) for path, bounds in BOUNDS.items() for name, (good, _) in bounds.items() for value in good
]
OUTSIDE = [(path, name, value) for path, bounds in BOUNDS.items() for name, (_, bad) in bounds.items() for value in bad]


@pytest.mark.parametrize("path", TABLES)
def test_every_field_that_is_sent_has_its_bounds_tested(path: str) -> None:
    assert set(BOUNDS[path]) == {name for name, field in TABLES[path].fields.items() if field.sent}


@pytest.mark.parametrize(("path", "name", "value"), INSIDE)
def test_inside_the_bounds(path: str, name: str, value: Any) -> None:
    assert allowed({name: value}, TABLES[path]) == {name: value}
    assert valid(path, name, value)


@pytest.mark.parametrize(("path", "name", "value"), OUTSIDE)
def test_outside_the_bounds(path: str, name: str, value: Any) -> None:
    with pytest.raises(FieldError) as raised:
        allowed({name: value}, TABLES[path])
    assert raised.value.param == name
    assert raised.value.message.startswith(f"{name} ")
    uncountable = "bytes of JSON" in raised.value.message or "levels deep" in raised.value.message
    assert valid(path, name, value) == uncountable


def valid(path: str, name: str, value: Any) -> bool:
    """By the field's schema."""
    return jsonschema_rs.validator_for(dict(TABLES[path].fields[name].check.schema)).is_valid(value)


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, table in TABLES.items() for name in table.refused])
def test_refused_fields_say_what_to_do(path: str, name: str) -> None:
    with pytest.raises(FieldError, match=f"^{name} is not accepted: .{{10}}") as raised:
        allowed({name: False}, TABLES[path])
    assert raised.value.param == name


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_unknown_fields_are_refused_by_name(table: Table) -> None:
    for nothing in (1, None):
        with pytest.raises(FieldError, match="temprature is not a field"):
            allowed({"temprature": nothing}, table)
    with pytest.raises(FieldError) as raised:
        allowed({"x" * 100_000: 1}, table)
    assert len(raised.value.message) < 200


def test_null_is_absent() -> None:
    assert allowed({"temperature": None, "stop": None, "functions": None}) == {}
    assert allowed({"suffix": None, "logprobs": None}, COMPLETIONS) == {}


def test_habits_of_clients_are_dropped() -> None:
    assert allowed({"user": "u", "metadata": {"a": 1}, "store": True, "temperature": 1}) == {"temperature": 1}
    assert allowed({"echo": False, "best_of": 1, "user": "u", "n": 2}, COMPLETIONS) == {"n": 2}


@pytest.mark.parametrize(("name", "value"), [("echo", True), ("best_of", 2), ("best_of", True)])
def test_a_habit_that_asks_for_something_is_refused(name: str, value: Any) -> None:
    with pytest.raises(FieldError, match=f"^{name} must be ") as raised:
        allowed({name: value}, COMPLETIONS)
    assert raised.value.param == name


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_what_the_gateway_handles_is_left_to_it(table: Table) -> None:
    assert allowed(dict.fromkeys(table.handled, 7), table) == {}


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_no_field_is_in_two_parts_of_a_table(table: Table) -> None:
    assert not table.fields.keys() & table.refused.keys()
    assert not table.handled & (table.fields.keys() | table.refused.keys())


names = st.sampled_from([name for t in TABLES.values() for name in (*t.fields, *t.refused, *t.handled)])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(names | st.text(max_size=9), values, max_size=3), st.sampled_from(list(TABLES.values())))
def test_any_body_is_copied_or_refused(body: dict[str, Any], table: Table) -> None:
    outcome = attempt(body, table)
    if isinstance(outcome, FieldError):
        assert outcome.param in {name[:64] for name in body}
    else:
        assert outcome.items() <= body.items()


def attempt(body: dict[str, Any], table: Table) -> dict[str, Any] | FieldError:
    try:
        return allowed(body, table)
    except FieldError as error:
        return error
