"""Texts made shorter, so that a reader sees where. Pure; lengths are in characters.

Invariants: a shortened text is never longer than the text; what is not shortened is the same object.
"""

from collections.abc import Sequence
from typing import Literal

from gateway.exchange.call import Message

How = Literal["oldest", "middle"]
MARK = " [...] "  # in the place of what was left out


def shortened(text: str, share: float, how: How) -> str:
    """About that share of a text: its end (`oldest`), or its beginning and its end (`middle`)."""
    keep = int(len(text) * share)
    if keep + len(MARK) >= len(text):
        return text
    if how == "oldest":
        return MARK + text[len(text) - keep :]
    head = (keep + 1) // 2
    return text[:head] + MARK + text[len(text) - (keep - head) :]


def with_share(messages: Sequence[Message], places: Sequence[int], share: float, how: How) -> list[Message]:
    """The messages with the texts at these places shortened; content in parts has its text parts shortened."""
    changed = list(messages)
    for at in places:
        content = messages[at].get("content")
        if (less := _content(content, share, how)) != content:
            changed[at] = {**messages[at], "content": less}
    return changed


def _content(content: object, share: float, how: How) -> object:
    if isinstance(content, str):
        return shortened(content, share, how)
    if isinstance(content, list | tuple):
        return type(content)(
            {**part, "text": shortened(part["text"], share, how)} if isinstance(part.get("text"), str) else part
            for part in content
        )
    return content
