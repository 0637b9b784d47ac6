"""How an answer is to be made: tools, shape, length, reasoning. Here they are flat, in chat they are nested.

Knows nothing of the conversation. What a field may hold is `serving.fields.allowed`'s matter: it is `Any` here where
only its place is known, and refused there by chat's name (see `names`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Tag

from gateway.api.body import Picked, Strict, member, type_of

LOGPROBS = "message.output_text.logprobs"
Chat = dict[str, Any]


def _functions_only(kind: str) -> str:
    if kind != "function":
        raise ValueError("Only tools of type function are served; run others in your app and offer them as functions")
    return kind


def _medium_only(verbosity: str) -> str:
    if verbosity != "medium":
        raise ValueError("No engine knows it; say in the instructions how long the answer should be")
    return verbosity


def _set(model: Strict) -> Chat:
    """The fields that are there, under their names on the wire; but for the type, which is told elsewhere."""
    fields = type(model).model_fields
    named = {field.alias or name: getattr(model, name) for name, field in fields.items() if name != "type"}
    return {name: value for name, value in named.items() if value is not None}


class NamedTool(Strict):
    type: Annotated[str, AfterValidator(_functions_only)]
    name: Any

    def chat(self) -> Chat:
        return {"type": self.type, "function": _set(self)}


class Tool(NamedTool):
    description: Any = None
    parameters: Any = None
    strict: Any = None


class Format(Strict):
    type: Literal["text", "json_object", "json_schema"]
    name: Any = None
    description: Any = None
    schema_: Any = Field(default=None, alias="schema")
    strict: Any = None

    def chat(self) -> Chat | None:
        named = _set(self)
        if self.type == "text" and not named:
            return None
        # A name or a schema that does not belong to the type is passed on for the bounds to refuse.
        return {"type": self.type} | ({"json_schema": named} if named or self.type == "json_schema" else {})


class TextConfig(Strict):
    format: Format | None = None
    verbosity: Annotated[str, AfterValidator(_medium_only)] | None = None


class ReasoningConfig(Strict):
    """A summary may be asked for; what comes is the reasoning itself, where the model shows it."""

    effort: Any = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None


ToolChoice = Annotated[
    Annotated[str, Tag("|str")] | Annotated[NamedTool, Tag("|dict")],
    member(type_of, "none, auto, required or a function by name"),
]


class Making(Picked):
    """The fields of a request that say how its answer is made.

    Reasoning is never encrypted: who includes it encrypted, in order to send it back, has it as it is.
    """

    max_output_tokens: Any = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    include: list[Literal["message.output_text.logprobs", "reasoning.encrypted_content"]] | None = None
    top_logprobs: Any = None

    def chat(self) -> Mapping[str, Any]:
        """Chat's fields, unchecked; null where there is nothing to say."""
        return {
            "max_completion_tokens": self.max_output_tokens,
            "tools": [tool.chat() for tool in self.tools or ()] or None,
            "tool_choice": self._choice(),
            "response_format": self.text.format.chat() if self.text and self.text.format else None,
            "reasoning_effort": self.reasoning.effort if self.reasoning else None,
            **self._logprobs(),
        }

    def _choice(self) -> Any:
        """Without tools there is nothing to choose: OpenAI takes `auto` there, engines refuse it."""
        if isinstance(self.tool_choice, NamedTool):
            return self.tool_choice.chat()
        return self.tool_choice if self.tools or self.tool_choice == "required" else None

    def _logprobs(self) -> Chat:
        wanted = LOGPROBS in (self.include or ()) or self.top_logprobs
        return {"logprobs": True, "top_logprobs": self.top_logprobs} if wanted else {}
