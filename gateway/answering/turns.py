"""The turns of a conversation that a remedy adds or leaves out. Pure."""

from collections.abc import Sequence

import orjson

from gateway.exchange import Message
from serving.events import Choice

SHOWN_CHARS = 1000  # of faults: a path holds names that the model made up, as long as it likes
_LEADING = ("system", "developer")


def droppable(messages: Sequence[Message]) -> bool:
    """Whether there is an older turn than the last."""
    return len(_turns(messages)) > 1


def fewer_turns(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages without the older half of the turns before the last one.

    Instructions stay, wherever they stand, and a turn goes whole: tool calls with their results, a question with its
    answer.
    """
    turns = _turns(messages)
    dropped = {place for turn in turns[: len(turns) // 2] for place in turn}
    return tuple(message for place, message in enumerate(messages) if place not in dropped)


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


def _turns(messages: Sequence[Message]) -> list[list[int]]:
    """The places of what was said, user by user, oldest first; instructions are of no turn."""
    turns: list[list[int]] = []
    for place, message in enumerate(messages):
        if message.get("role") in _LEADING:
            continue
        if message.get("role") == "user" or not turns:
            turns.append([])
        turns[-1].append(place)
    return turns
