"""Thinking and output_config: the chat fields that they are."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.api.anthropic.output import OutputConfig, Thinking

THINKING: TypeAdapter[Any] = TypeAdapter(Thinking)


@pytest.mark.parametrize(
    ("thinking", "fields"),
    [
        ({"type": "enabled", "budget_tokens": 1024}, {"thinking_token_budget": 1024}),
        ({"type": "enabled", "budget_tokens": 2000, "display": "omitted"}, {"thinking_token_budget": 2000}),
        ({"type": "disabled"}, {"reasoning_effort": "none"}),
        ({"type": "adaptive", "display": "summarized"}, {}),
    ],
)
def test_thinking(thinking: dict[str, Any], fields: dict[str, Any]) -> None:
    assert THINKING.validate_python(thinking).fields() == fields


@pytest.mark.parametrize(
    "thinking",
    [
        True,
        {"type": "on"},
        {"type": "enabled"},
        {"type": "enabled", "budget_tokens": 1023},
        {"type": "disabled", "budget_tokens": 1024},
        {"type": "adaptive", "display": "none"},
    ],
)
def test_what_is_no_thinking(thinking: Any) -> None:
    with pytest.raises(ValidationError):
        THINKING.validate_python(thinking)


def test_output_config() -> None:
    schema = {"type": "object"}
    config = OutputConfig.model_validate({"effort": "max", "format": {"type": "json_schema", "schema": schema}})
    assert config.fields() == {
        "reasoning_effort": "max",
        "response_format": {"type": "json_schema", "json_schema": {"name": "output", "schema": schema}},
    }


@pytest.mark.parametrize("config", [{"effort": "none"}, {"format": {"type": "text"}}, {"verbosity": "low"}])
def test_what_is_no_output_config(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OutputConfig.model_validate(config)
