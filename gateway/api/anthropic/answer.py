"""What an answer is made of in Anthropic's API: content blocks, a reason to stop, usage. Pure; knows no stream.

Shapes: platform.claude.com/docs/en/api/messages; reasons: .../build-with-claude/handling-stop-reasons.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from serving.events import Choice, Usage

# Nobody vouches for what a model here thought; but some clients send back only thinking that has a signature.
SIGNATURE = "unsigned"
# Anthropic's has no word for an answer that the engine ended because it repeated itself: it was cut.
REASONS = {"length": "max_tokens", "repetition": "max_tokens", "content_filter": "refusal"}
WINDOW = "model_context_window_exceeded"


def content(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The blocks of a whole chat message."""
    thought, text = thinking(message), message.get("content")
    first = [{"type": "thinking", "thinking": thought, "signature": SIGNATURE}] if thought else []
    said = [{"type": "text", "text": text}] if text else []
    return [*first, *said, *map(_tool_use, message.get("tool_calls") or ())]


def thinking(message: Mapping[str, Any]) -> str:
    """What a message or a delta has of it; vLLM says `reasoning`, as older ones said `reasoning_content`."""
    return str(message.get("reasoning") or message.get("reasoning_content") or "")


def whole(arguments: str) -> bool:
    """Whether a tool call's arguments are a JSON object to its end."""
    try:
        return isinstance(orjson.loads(arguments), dict)
    except orjson.JSONDecodeError:
        return False


def stopped(choice: Choice, gateway: Mapping[str, Any]) -> dict[str, str | None]:
    """Why the answer ended. Whole calls are to be run, whatever else; vLLM names the stop sequence that it met.

    A full window is told from a ceiling by the answer's `gateway` object.
    """
    if choice.message.get("tool_calls") and choice.finish_reason != "length":
        return {"stop_reason": "tool_use", "stop_sequence": None}
    if isinstance(choice.stop_reason, str):
        return {"stop_reason": "stop_sequence", "stop_sequence": choice.stop_reason}
    full = gateway.get("stop", {}).get("cause") == "window"
    return {"stop_reason": WINDOW if full else REASONS.get(choice.finish_reason, "end_turn"), "stop_sequence": None}


def usage(counted: Usage) -> dict[str, Any]:
    """Anthropic's usage object; its input_tokens leave out those that were read from the cache."""
    tokens = counted.within(counted)  # a backend may claim to have read more from its cache than there was
    return {
        "input_tokens": tokens.input_tokens - tokens.cached_tokens,
        "cache_read_input_tokens": tokens.cached_tokens,
        "output_tokens": tokens.output_tokens,
        "output_tokens_details": {"thinking_tokens": tokens.reasoning_tokens},
    }


def _tool_use(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function") or {}
    arguments = function.get("arguments") or "{}"
    return {"type": "tool_use", "id": call.get("id"), "name": function.get("name"), "input": _input(arguments)}


def _input(arguments: str) -> Any:
    """The arguments as the model wrote them; none where a call was cut, as `max_tokens` tells: they are no JSON."""
    return orjson.Fragment(arguments) if whole(arguments) else {}
