"""The shape of a chat's messages: OpenAI's roles and parts, strict to the last field.

An app's history comes back as a client kept it, so the fields that OpenAI's client adds to an answer are known here.
Knows nothing of the rest of the request. Media are taken inline only: whoever fetched a URL for a client could be made
to fetch any.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, Tag

from gateway.api.body import Strict, field_of, member, type_of
from gateway.exchange import Message

Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]


def _data_only(url: str) -> str:
    if not url.startswith("data:"):
        raise ValueError("Only data: URLs are taken; the gateway fetches nothing on a client's behalf")
    return url


DataUrl = Annotated[str, AfterValidator(_data_only)]


class TextPart(Strict):
    type: Literal["text"]
    text: str


class ImageUrl(Strict):
    url: DataUrl
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(Strict):
    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[
    Annotated[TextPart, Tag("|text")] | Annotated[ImagePart, Tag("|image_url")],
    member(field_of("type"), "a part whose type is text or image_url"),
]
Content = Annotated[
    Annotated[str, Tag("|str")] | Annotated[list[Part], Tag("|list")],
    member(type_of, "a string or a list of parts"),
]


class Function(Strict):
    name: Name
    arguments: str
    parsed_arguments: Any = None


class ToolCall(Strict):
    id: Name
    type: Literal["function"]
    function: Function
    index: int | None = None  # left in by clients that collected a stream


class Instruction(Strict):
    role: Literal["system", "developer", "user"]
    content: Content
    name: Name | None = None


class Assistant(Strict):
    """`annotations` and `audio` are always sent back by OpenAI's client, empty, with the answers that it collected;
    `parsed` (and a call's `parsed_arguments`) with those that it parsed; `provider_specific_fields` by LiteLLM."""

    role: Literal["assistant"]
    content: Content | None = None
    name: Name | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None
    annotations: list[Any] | None = Field(default=None, max_length=0)
    audio: None = None
    parsed: Any = None
    provider_specific_fields: Any = None


class ToolResult(Strict):
    role: Literal["tool"]
    content: Content
    tool_call_id: Name


class FunctionResult(Strict):
    role: Literal["function"]
    content: str | None
    name: Name


AnyMessage = Annotated[
    Annotated[Instruction, Tag("|system")]
    | Annotated[Instruction, Tag("|developer")]
    | Annotated[Instruction, Tag("|user")]
    | Annotated[Assistant, Tag("|assistant")]
    | Annotated[ToolResult, Tag("|tool")]
    | Annotated[FunctionResult, Tag("|function")],
    member(field_of("role"), "a message whose role is system, developer, user, assistant, tool or function"),
]


ECHOES = frozenset({"annotations", "parsed", "provider_specific_fields"})  # what clients add to an answer


def plain(message: Mapping[str, Any]) -> Message:
    """A checked message without its nulls and echoes: chat templates tell `null` from absent, clients do not."""
    kept = {name: value for name, value in message.items() if value is not None and name not in ECHOES}
    if "tool_calls" in kept:
        kept["tool_calls"] = [_plain_call(call) for call in kept["tool_calls"]]
    return kept if "content" in kept else {**kept, "content": None}


def _plain_call(call: Mapping[str, Any]) -> Mapping[str, Any]:
    function = {name: value for name, value in call["function"].items() if name != "parsed_arguments"}
    return {**call, "function": function}
