"""Messages cut until they fit, and not further: whole turns first, then a part of the turn that just did not fit.

    1. the fewest turns are left out with which the rest fits (`turns.order`)
    2. of the last one of these as much of its texts is kept as fits, where more than SLACK of the room would be empty
    3. where not even the last turn fits alone, its texts are shortened, if that is wanted

Each length is a count of the whole request by the model's own vocabulary and chat template, so that what comes out fits
exactly. Knows no model: it is handed what counts.

In rooms of a few hundred tokens the roles of one more turn may take more than SLACK, and that much stays empty.

Invariants: deterministic; the messages that stay keep their order; what comes out has at most `room` tokens, or nothing
comes out at all.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from gateway.truncation.shortening import with_share
from gateway.truncation.turns import INSTRUCTING, Message, Turn, order, past
from serving.frozen import dataclass

How = Literal["oldest", "middle"]
Count = Callable[[Sequence[Message]], Awaitable[int]]

SLACK = 0.05  # of the room, that may stay empty: less is not worth a piece of a turn
HALVINGS = 14  # of a share: a text of 100,000 characters to within 6


@dataclass(frozen=True, slots=True)
class Cut:
    """What was cut: the `messages` that are left and their `tokens` as counted with everything around them.

    `left_out` counts messages, `shortened` messages of which a part is left.
    """

    messages: tuple[Message, ...]
    tokens: int
    left_out: int = 0
    shortened: int = 0

    def facts(self) -> dict[str, Any]:
        return {"left_out": self.left_out, "shortened": self.shortened, "tokens": self.tokens}


async def fitted(messages: Sequence[Message], how: How, count: Count, room: int, last: bool) -> Cut | None:
    """The messages cut to at most `room` tokens; None when they cannot be. `last`: the last turn may be shortened too.

    Raises what `count` raises.
    """
    whole = await count(messages)
    if whole <= room:
        return Cut(tuple(messages), whole)
    leaving = order(past(messages), how)
    gone = await _fewest(messages, leaving, count, room)
    if gone is None:
        rest = _without(messages, leaving)
        return await _shortened(messages, rest, _texts(rest, _now(rest)), how, count, room) if last else None
    kept = _without(messages, leaving[:gone])
    tokens = await count(kept)
    if room - tokens > SLACK * room:
        left, partly = leaving[: gone - 1], leaving[gone - 1 :]
        for few in (partly[:1], partly[:2]):  # two, where the roles of one more turn do not fit by themselves
            with_part = _without(messages, left)
            part = _texts(with_part, [at for turn in few for at in _places(left, turn)])
            if found := await _shortened(messages, with_part, part, how, count, room):
                return found
    return Cut(tuple(kept), tokens, len(messages) - len(kept))


async def _fewest(messages: Sequence[Message], leaving: Sequence[Turn], count: Count, room: int) -> int | None:
    """How many turns must be left out, None where even all are not enough."""
    low, high = 1, len(leaving)
    if not leaving or await count(_without(messages, leaving)) > room:
        return None
    while low < high:
        middle = (low + high) // 2
        if await count(_without(messages, leaving[:middle])) <= room:
            high = middle
        else:
            low = middle + 1
    return low


async def _shortened(
    whole: Sequence[Message], messages: Sequence[Message], places: Sequence[int], how: How, count: Count, room: int
) -> Cut | None:
    """The largest share of the texts at these places with which all fits; None where not even none of them does."""
    best, low, high = None, 0.0, 1.0
    for _ in range(HALVINGS if places else 0):
        share = (low + high) / 2
        changed = with_share(messages, places, share, how)
        tokens = await count(changed)
        if tokens > room:
            high = share
            continue
        low, best = share, Cut(tuple(changed), tokens, len(whole) - len(messages), len(places))
        if room - tokens <= SLACK / 2 * room:
            break
    return best


def _without(messages: Sequence[Message], leaving: Sequence[Turn]) -> list[Message]:
    gone = {at for turn in leaving for at in turn}
    return [message for at, message in enumerate(messages) if at not in gone]


def _places(leaving: Sequence[Turn], turn: Turn) -> list[int]:
    """Where a turn's messages are once others are left out."""
    gone = {at for other in leaving for at in other}
    return [at - sum(other < at for other in gone) for at in turn]


def _now(messages: Sequence[Message]) -> list[int]:
    """The places of the last turn."""
    users = [at for at, message in enumerate(messages) if message.get("role") == "user"]
    return list(range(users[-1], len(messages))) if users else []


def _texts(messages: Sequence[Message], places: Sequence[int]) -> list[int]:
    """Those whose text may be shortened: no instruction; a turn with tool calls stays whole or goes, for half of what a
    tool said is misleading."""
    if any(messages[at].get("tool_calls") or messages[at].get("role") == "tool" for at in places):
        return []
    return [at for at in places if messages[at].get("role") not in INSTRUCTING]
