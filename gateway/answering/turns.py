"""The turns of a conversation that a remedy adds; those that are left out are in `gateway.truncation`. Pure."""

from collections.abc import Sequence

import orjson

from gateway.exchange import Message
from serving.events import Choice

SHOWN_CHARS = 1000  # of faults: a path holds names that the model made up, as long as it likes


def shown(choice: Choice, faults: Sequence[str]) -> tuple[Message, Message]:
    """The answer as the model gave it, and what is wrong with it."""
    places = ", ".join(faults)[:SHOWN_CHARS]
    wrong = (
        f"This answer is not in the format that was asked for. It fails at: {places}. Give the whole answer once more, "
        "corrected, in that format and with nothing around it."
    )
    return {"role": "assistant", "content": _said(choice)}, {"role": "user", "content": wrong}


def _said(choice: Choice) -> str:
    """Its text, or its calls as text: chat templates parse the arguments of calls, and fail on wrong ones."""
    calls = [call.get("function") or {} for call in choice.message.get("tool_calls") or ()]
    return str(choice.message.get("content") or "") or orjson.dumps(calls, default=dict).decode()
