"""Anthropic's tools and tool choices in chat's shape."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.api.anthropic.tools import Tool, ToolChoice

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"name": "look", "input_schema": SCHEMA}
CHOICES: TypeAdapter[Any] = TypeAdapter(ToolChoice)


@pytest.mark.parametrize(
    ("more", "function"),
    [
        ({}, {"parameters": SCHEMA}),
        ({"type": "custom", "description": "Looks.", "strict": True}, {"description": "Looks.", "strict": True}),
        ({"description": "", "cache_control": {"type": "ephemeral"}, "eager_input_streaming": True}, {}),
        ({"input_schema": {"properties": {}}}, {"parameters": {"properties": {}, "type": "object"}}),
    ],
)
def test_a_tool(more: dict[str, Any], function: dict[str, Any]) -> None:
    assert Tool.model_validate(TOOL | more).chat() == {
        "type": "function",
        "function": {"name": "look", "parameters": SCHEMA} | function,
    }


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        ({"type": "web_search_20250305", "name": "web_search", "max_uses": 5}, "Only tools of type custom are served"),
        (TOOL | {"defer_loading": True}, "Extra inputs"),
        (TOOL | {"input_schema": "{}"}, "valid dictionary"),
    ],
)
def test_what_is_no_tool_of_the_clients(tool: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        Tool.model_validate(tool)
    assert message in error.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("choice", "chats"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any", "disable_parallel_tool_use": False}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "look"}, {"type": "function", "function": {"name": "look"}}),
    ],
)
def test_a_choice(choice: dict[str, Any], chats: Any) -> None:
    assert CHOICES.validate_python(choice).chat() == chats


@pytest.mark.parametrize("choice", ["auto", {"type": "required"}, {"type": "tool"}, {"type": "auto", "name": "look"}])
def test_what_is_no_choice(choice: Any) -> None:
    with pytest.raises(ValidationError):
        CHOICES.validate_python(choice)
