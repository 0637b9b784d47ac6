"""The turns of a conversation, and in which order they are left out. Pure.

A turn begins with a user's message and goes to the next one's: answers, tool calls and what tools said stay together,
since a tool's answer without its call is refused by chat templates. What instructs (system, developer) is in no turn,
and neither is the last turn, which is what is asked now.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Message = Mapping[str, Any]
Turn = tuple[int, ...]  # places of its messages
INSTRUCTING = ("system", "developer")


def past(messages: Sequence[Message]) -> list[Turn]:
    """The turns before the last one, oldest first. Messages before the first user's message are a turn too."""
    users = [at for at, message in enumerate(messages) if message.get("role") == "user"]
    now = users[-1] if users else len(messages)
    turns: list[list[int]] = []
    for at, message in enumerate(messages[:now]):
        if message.get("role") in INSTRUCTING:
            continue
        if message.get("role") == "user" or not turns:
            turns.append([])
        turns[-1].append(at)
    return [tuple(turn) for turn in turns]


def order(turns: Sequence[Turn], how: str) -> list[Turn]:
    """In which order they are left out: `oldest` first, or from the `middle`: the first turn, which often says what it
    is all about, goes last."""
    return [*turns[1:], *turns[:1]] if how == "middle" else list(turns)
