"""Anthropic's tools and tool_choice, and what they are in chat completions.

Tools are functions of the client alone: a tool that Anthropic's own servers run (its `type` has a date) is refused by
name. Shapes: platform.claude.com/docs/en/api/messages.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Tag

from gateway.api.body import Strict, field_of, member
from gateway.api.messages import Name


def _custom(kind: str | None) -> str | None:
    if kind not in (None, "custom"):
        raise ValueError("Only tools of type custom are served, which the client runs itself")
    return kind


class Tool(Strict):
    type: Annotated[str | None, AfterValidator(_custom)] = None  # first, so that another's own fields are not blamed
    name: Name
    description: str | None = None
    input_schema: dict[str, Any]
    strict: bool | None = None
    eager_input_streaming: bool | None = None  # input is always streamed as it comes
    cache_control: Any = None

    def chat(self) -> dict[str, Any]:
        """One of chat's tools. A schema without a type is an object's, as vLLM takes it."""
        schema = self.input_schema if "type" in self.input_schema else self.input_schema | {"type": "object"}
        optional = {"description": self.description or None, "strict": self.strict}
        said = {name: value for name, value in optional.items() if value is not None}
        return {"type": "function", "function": {"name": self.name, **said, "parameters": schema}}


class Choice(Strict):
    """`any` tool must be called, or the model decides (`auto`), or there are no calls (`none`)."""

    type: Literal["auto", "any", "none"]
    disable_parallel_tool_use: bool | None = None

    def chat(self) -> Any:
        return "required" if self.type == "any" else self.type


class Named(Strict):
    """This one tool must be called."""

    type: Literal["tool"]
    name: Name
    disable_parallel_tool_use: bool | None = None

    def chat(self) -> Any:
        return {"type": "function", "function": {"name": self.name}}


ToolChoice = Annotated[
    Annotated[Choice, Tag("|auto")]
    | Annotated[Choice, Tag("|any")]
    | Annotated[Choice, Tag("|none")]
    | Annotated[Named, Tag("|tool")],
    member(field_of("type"), "an object whose type is auto, any, tool or none"),
]
