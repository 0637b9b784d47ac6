"""What the engine is given in place of what was asked for; the format itself stays."""

import asyncio
from typing import Any

import pytest

from gateway.exchange import wanted
from gateway.guiding import Guided, guided
from gateway.linting.breaking import EFFORT, effort

ASKED = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}
SENT = {"type": "array", "items": {"type": "integer"}}
FREE = {"type": "object", "properties": {"a": ASKED}}


def given(**fields: Any) -> Guided:
    return asyncio.run(guided(fields, wanted(fields)))


def tool(name: str = "a", **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": "It does.", "parameters": FREE, **more}}


def test_a_schema_is_relaxed_where_the_request_has_it_and_nothing_else_changes() -> None:
    named = {"name": "x", "strict": True}
    asked = {"response_format": {"type": "json_schema", "json_schema": {**named, "schema": ASKED}}, "temperature": 0}
    found = given(**asked)
    assert found.fields == asked | {
        "response_format": {"type": "json_schema", "json_schema": {**named, "schema": SENT}}
    }
    assert found.unenforced == ("uniqueItems",)
    assert wanted(asked).schema == ASKED


def test_so_is_one_in_vllms_own_field() -> None:
    found = given(structured_outputs={"json": ASKED, "disable_any_whitespace": True})
    assert found.fields == {"structured_outputs": {"json": SENT, "disable_any_whitespace": True}}


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SENT}}},
        {"structured_outputs": {"regex": "(?=a)"}},
        {"temperature": 1},
        {"tools": [tool()]},
    ],
)
def test_what_the_engine_takes_or_is_not_guided_by_is_sent_as_it_is(fields: dict[str, Any]) -> None:
    assert given(**fields) == Guided(fields)


def test_of_tools_only_those_that_the_engine_is_guided_by() -> None:
    strict, free = tool(strict=True), tool("b")
    found = given(tools=[strict, free])
    assert found.fields["tools"][0]["function"]["parameters"]["properties"]["a"] == SENT
    assert found.fields["tools"][0]["function"]["description"] == "It does."
    assert found.fields["tools"][1] == free
    assert given(tools=[free], tool_choice="required").unenforced == ("uniqueItems",)


def test_what_the_engine_only_passes_over_is_told_as_well() -> None:
    found = given(structured_outputs={"json": {"minimum": 3}})
    assert found == Guided({"structured_outputs": {"json": {"minimum": 3}}}, ("minimum",))


def test_a_large_schema_does_not_hold_the_event_loop() -> None:
    large = {"anyOf": [{"type": "object", "properties": {f"p{n}": ASKED}} for n in range(60)]}
    assert given(structured_outputs={"json": large}).unenforced == ("uniqueItems",)


def test_all_tools_that_must_be_called_share_the_limits_of_one_schema() -> None:
    """The engine makes one grammar of them."""
    text = {"type": "string", "pattern": "^(a|b){0,100}$"}
    costly = {"type": "object", "properties": {"text": text}}
    function = {"description": "It does.", "parameters": costly}
    tools = [{"type": "function", "function": {"name": f"t{n}", **function}} for n in range(40)]
    assert effort(text) <= EFFORT < 40 * effort(text)
    found = given(tools=tools, tool_choice="required")
    sent = [one["function"]["parameters"]["properties"]["text"] for one in found.fields["tools"]]
    assert sum(map(effort, sent)) <= EFFORT
    assert sent[0] == text
    assert found.unenforced == ("pattern",)
    assert given(tools=tools).fields["tools"] == tools  # words for the model alone
