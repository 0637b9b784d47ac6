"""What vLLM makes of a request's messages and tools before the chat template sees them.

Follows vLLM 0.32, `renderers/chat_utils.py` (parse_chat_messages, _postprocess_messages) and `renderers/hf.py`
(developer messages), and the order in which its request models write out their fields, since templates print tools and
calls as JSON. Text only: a part that is an image, audio or video is refused.

Invariant: the caller's messages are not changed.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

ContentFormat = Literal["string", "openai"]
Message = dict[str, Any]

TEXT_PARTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal", "thinking": "thinking"}
BILLING_HEADER = "x-anthropic-billing-header"  # vLLM drops this line of one client: it changes with every request


class PromptRefused(ValueError):
    """Raised when messages cannot become a prompt for this model; the text says why and quotes nothing."""


def conversation(messages: object, content_format: ContentFormat) -> list[Message]:
    """The messages as the template gets them. Raises PromptRefused for what vLLM would answer with 400."""
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise PromptRefused("messages must be a list with at least one message")
    return [_message(message, content_format) for message in messages]


def tools(requested: object) -> list[Message] | None:
    """The tools as vLLM writes them out: type and function, its fields in a fixed order, absent ones null."""
    if requested is None:
        return None
    try:
        return [_tool(tool) for tool in requested]  # type: ignore[attr-defined]
    except (TypeError, KeyError, AttributeError) as error:
        raise PromptRefused("tools must be a list of functions with a name") from error


def without_developer(messages: list[Message]) -> list[Message]:
    """For a template that knows no developer role: such messages become system, and all system text goes first."""
    if all(message["role"] != "developer" for message in messages):
        return messages
    messages = [_as_system(message) if message["role"] == "developer" else message for message in messages]
    system = [message for message in messages if message["role"] == "system"]
    if len(system) == 1 and messages[0] is system[0]:
        return messages
    said = [text for text in map(_plain_text, system) if text]
    others = [message for message in messages if message["role"] != "system"]
    return [{"role": "system", "content": "\n\n".join(said)}, *others]


def _message(message: object, content_format: ContentFormat) -> Message:
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        raise PromptRefused("each message must be an object with a role")
    role = message["role"]
    parts = [_part(part) for part in _parts(message)]
    if role == "system":
        parts = [part for part in map(_without_billing_header, parts) if part is not None]
    parsed: Message = {"role": role, "content": _content(role, parts, content_format)}
    if role == "assistant":
        _add_assistant(parsed, message)
    elif role == "tool" and "tool_call_id" in message:
        parsed["tool_call_id"] = message["tool_call_id"]
    parsed |= {name: message[name] for name in ("name", "task") if isinstance(message.get(name), str)}
    if role == "developer":
        parsed["tools"] = message.get("tools")
    return parsed


def _parts(message: Mapping[str, Any]) -> Iterable[object]:
    content = message.get("content")
    if content is None:
        return ()
    if isinstance(content, str):
        return (content,)
    if not isinstance(content, Sequence):
        raise PromptRefused("a message's content must be a string, a list of parts or null")
    return [part for part in content if not _is_empty(part)]


def _is_empty(part: object) -> bool:
    """vLLM skips text and refusal parts whose text is null."""
    return isinstance(part, Mapping) and part.get("type") in ("text", "refusal") and part.get(part["type"]) is None


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, Mapping) else None
    text = part.get(TEXT_PARTS.get(kind, "")) if isinstance(part, Mapping) and isinstance(kind, str) else None
    if not isinstance(text, str):
        raise PromptRefused("each part of a message's content must be text")
    return text


def _content(role: str, parts: list[str], content_format: ContentFormat) -> str | list[Message]:
    """As one string, without its empty parts; or as parts, except what a tool answered, which is always a string."""
    if content_format == "string":
        return "\n".join(part for part in parts if part)
    if role == "tool":
        return "\n".join(parts)
    return [{"type": "text", "text": part} for part in parts]


def _without_billing_header(text: str) -> str | None:
    return text if not text.startswith(BILLING_HEADER) else text.partition("\n")[2] or None


def _add_assistant(parsed: Message, message: Mapping[str, Any]) -> None:
    if calls := message.get("tool_calls"):
        try:
            parsed["tool_calls"] = [_call(call) for call in calls]
        except (TypeError, KeyError, AttributeError) as error:
            raise PromptRefused("tool_calls must be a list of function calls with a name") from error
    reasoning = message.get("reasoning") or message.get("reasoning_content")
    if reasoning is not None:
        parsed["reasoning"] = parsed["reasoning_content"] = reasoning


def _call(call: Mapping[str, Any]) -> Message:
    function = dict(call["function"])
    arguments = {"arguments": _arguments(function.get("arguments")), "name": function["name"]}
    return {"id": call.get("id"), "function": arguments | function | arguments, "type": "function"} | {
        name: value for name, value in call.items() if name not in ("id", "function", "type")
    }


def _arguments(arguments: object) -> Message:
    """An object, as templates expect; what is none becomes empty, so that an old broken call ends no conversation."""
    if isinstance(arguments, str) and arguments:
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return {}
    return arguments if isinstance(arguments, dict) else {}


def _tool(tool: Mapping[str, Any]) -> Message:
    function = tool["function"]
    described = {name: function.get(name) for name in ("name", "description", "parameters")}
    described["name"] = function["name"]
    if function.get("strict") is not None:
        described["strict"] = function["strict"]
    return {"type": "function", "function": described}


def _as_system(message: Message) -> Message:
    return {name: value for name, value in message.items() if name != "tools"} | {"role": "system"}


def _plain_text(message: Message) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "\n".join(part["text"] for part in content)
