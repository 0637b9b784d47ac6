"""The turns of a conversation, and in which order they are left out. Pure.

A turn begins with a user's message and goes to the next one's. Inside it a call of tools and what the tools said are an
exchange: they stay together, since a tool's answer without its call is refused by chat templates, but what was asked
and answered can stand without them. What instructs (system, developer) is in no turn, and neither is the last turn,
which is what is asked now.
"""

from collections.abc import Sequence

from gateway.exchange.call import Message

Turn = tuple[int, ...]  # places of its messages
INSTRUCTING = ("system", "developer")
TOOLS = ("tool", "function")  # roles of what tools said


def last_turn(messages: Sequence[Message]) -> int:
    """Where it begins: at the last message of a user; where there is none, at the last of all."""
    users = (at for at in reversed(range(len(messages))) if messages[at].get("role") == "user")
    return next(users, max(len(messages) - 1, 0))


def past(messages: Sequence[Message]) -> list[Turn]:
    """The turns before the last one, oldest first. Messages before the first user's message are a turn too."""
    turns: list[list[int]] = []
    for at, message in enumerate(messages[: last_turn(messages)]):
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


def newer(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages without the older half of their turns, the last one counted in."""
    turns = past(messages)
    gone = {at for turn in turns[: (len(turns) + 1) // 2] for at in turn}
    return tuple(message for at, message in enumerate(messages) if at not in gone)


def exchanges(messages: Sequence[Message], turn: Turn) -> tuple[Turn, list[Turn]]:
    """What of a turn was asked and answered, and its exchanges with tools, oldest first."""
    plain, found = list[int](), list[list[int]]()
    for at in turn:
        if messages[at].get("tool_calls"):
            found.append([at])
        elif messages[at].get("role") in TOOLS and found:
            found[-1].append(at)
        else:
            plain.append(at)
    return tuple(plain), [tuple(one) for one in found]
