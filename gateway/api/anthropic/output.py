"""Anthropic's `thinking` and `output_config`, and the chat fields that they are for the engine.

    thinking: enabled    thinking_token_budget     output_config.effort    reasoning_effort
              disabled   reasoning_effort `none`   output_config.format    response_format
              adaptive   nothing

So does vLLM (0.32, entrypoints/anthropic/serving.py). `display` changes nothing: what the model thinks is always shown.
Shapes: platform.claude.com/docs/en/api/messages.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from gateway.api.body import Strict, field_of, member
from serving.fields import MAX_TOKENS

LEAST_THINKING = 1024  # tokens: Anthropic's own bound of a budget

Display = Literal["summarized", "omitted"]


class Unbudgeted(Strict):
    type: Literal["adaptive", "disabled"]
    display: Display | None = None

    def fields(self) -> dict[str, Any]:
        return {"reasoning_effort": "none"} if self.type == "disabled" else {}


class Budgeted(Strict):
    type: Literal["enabled"]
    budget_tokens: int = Field(ge=LEAST_THINKING, le=MAX_TOKENS)
    display: Display | None = None

    def fields(self) -> dict[str, Any]:
        return {"thinking_token_budget": self.budget_tokens}


Thinking = Annotated[
    Annotated[Unbudgeted, Tag("|adaptive")]
    | Annotated[Unbudgeted, Tag("|disabled")]
    | Annotated[Budgeted, Tag("|enabled")],
    member(field_of("type"), "an object whose type is enabled, adaptive or disabled"),
]


class Format(Strict):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")

    def chat(self) -> dict[str, Any]:
        return {"type": "json_schema", "json_schema": {"name": "output", "schema": self.schema_}}


class OutputConfig(Strict):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: Format | None = None

    def fields(self) -> dict[str, Any]:
        return {"reasoning_effort": self.effort, "response_format": self.format.chat() if self.format else None}
