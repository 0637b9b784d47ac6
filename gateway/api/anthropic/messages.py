"""Anthropic's messages, strict to the last field, and the chat messages that the engine gets instead.

    user       its tool results become tool messages, in their order; what else it says comes after them
    assistant  text, thinking and tool_use become the content, reasoning and tool_calls of one message
    system     stays where it is

So does vLLM (0.32, entrypoints/anthropic/serving.py). What only Anthropic's servers act on is taken and dropped:
cache_control, citations, signatures, callers; and `is_error`, for which chat has no place: the result itself says it.

Shapes: platform.claude.com/docs/en/api/messages. Knows nothing of the rest of the request.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BeforeValidator, Field, Tag

from gateway.api.body import Strict, field_of, member
from gateway.api.messages import Name
from gateway.exchange import Message


def _text_only(kind: str) -> str:
    if kind != "text":
        raise ValueError("Only text is served")
    return kind


def _blocks(content: Any) -> Any:
    """A string is short for a list of one text block."""
    if not isinstance(content, str | list):
        raise ValueError("Input should be a string or a list of blocks")
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _or_text(blocks: Any) -> BeforeValidator:
    """Takes a string in place of `blocks`, and says so in the type's JSON Schema."""
    return BeforeValidator(_blocks, json_schema_input_type=str | blocks)


class Text(Strict):
    type: Annotated[str, AfterValidator(_text_only)]  # first, so that an image is told so and not that it has no text
    text: str
    citations: Any = None
    cache_control: Any = None


Said = Annotated[list[Text], _or_text(list[Text])]
SomeText = Annotated[list[Text], Field(min_length=1)]


def chat_content(texts: Sequence[Text]) -> str | list[dict[str, str]]:
    """A chat message's content: one text as a string, several as parts."""
    parts = [{"type": "text", "text": block.text} for block in texts]
    return parts[0]["text"] if len(parts) == 1 else parts


class ToolResult(Strict):
    type: Literal["tool_result"]
    tool_use_id: Name
    content: Said | None = None
    is_error: bool | None = None
    cache_control: Any = None

    def chat(self) -> Message:
        content = chat_content(self.content) if self.content else ""
        return {"role": "tool", "tool_call_id": self.tool_use_id, "content": content}


class ToolUse(Strict):
    type: Literal["tool_use"]
    id: Name
    name: Name
    input: dict[str, Any]
    caller: Any = None
    cache_control: Any = None

    def chat(self) -> dict[str, Any]:
        """One of a chat message's tool_calls."""
        function = {"name": self.name, "arguments": orjson.dumps(self.input).decode()}
        return {"id": self.id, "type": "function", "function": function}


class Thinking(Strict):
    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedThinking(Strict):
    """What another model thought, sealed for itself: nothing that could be sent on."""

    type: Literal["redacted_thinking"]
    data: str


UserBlock = Annotated[
    Annotated[Text, Tag("|text")] | Annotated[ToolResult, Tag("|tool_result")],
    member(field_of("type"), "a block whose type is text or tool_result: only text is served"),
]
UserBlocks = Annotated[list[UserBlock], Field(min_length=1)]
AssistantBlock = Annotated[
    Annotated[Text, Tag("|text")]
    | Annotated[ToolUse, Tag("|tool_use")]
    | Annotated[Thinking, Tag("|thinking")]
    | Annotated[RedactedThinking, Tag("|redacted_thinking")],
    member(field_of("type"), "a block whose type is text, tool_use, thinking or redacted_thinking"),
]


class User(Strict):
    role: Literal["user"]
    content: Annotated[UserBlocks, _or_text(UserBlocks)]

    def chat(self) -> list[Message]:
        results = [block.chat() for block in self.content if isinstance(block, ToolResult)]
        texts = [block for block in self.content if isinstance(block, Text)]
        return [*results, {"role": "user", "content": chat_content(texts)}] if texts else results


class Assistant(Strict):
    """Its content may be an empty list: there are such answers."""

    role: Literal["assistant"]
    content: Annotated[list[AssistantBlock], _or_text(list[AssistantBlock])]

    def chat(self) -> list[Message]:
        texts = [block for block in self.content if isinstance(block, Text)]
        thoughts = "".join(block.thinking for block in self.content if isinstance(block, Thinking))
        calls = [block.chat() for block in self.content if isinstance(block, ToolUse)]
        message: dict[str, Any] = {"role": "assistant", "content": chat_content(texts) if texts else None}
        return [message | ({"reasoning": thoughts} if thoughts else {}) | ({"tool_calls": calls} if calls else {})]


class System(Strict):
    """An instruction amid a conversation."""

    role: Literal["system"]
    content: Annotated[SomeText, _or_text(SomeText)]

    def chat(self) -> list[Message]:
        return [{"role": "system", "content": chat_content(self.content)}]


Turn = Annotated[
    Annotated[User, Tag("|user")] | Annotated[Assistant, Tag("|assistant")] | Annotated[System, Tag("|system")],
    member(field_of("role"), "a message whose role is user, assistant or system"),
]
