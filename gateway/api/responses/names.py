"""What is called otherwise here than in chat completions, on the way in and on the way out.

The pipeline speaks of a request in the names of the chat completion that it becomes; whoever sent a response request is
told of a failure in the names of that.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.errors import Wire

# Chat's name to ours.
RENAMED: Mapping[str, str] = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "logprobs": "include",
}


def told(wire: Wire) -> Wire:
    """The failure in the names of this API."""
    ours = RENAMED.get(wire.param or "")
    return replace(wire, param=ours, message=wire.message.replace(str(wire.param), ours)) if ours else wire


def refusal(wire: Wire, request_id: str) -> Any:
    """A failure's body, before the first byte of an answer."""
    return told(wire).body()
