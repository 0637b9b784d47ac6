"""The sections of a prompt that can be cut: what is left of each when so much of it is kept. Pure.

A section keeps from 0 to `size` of itself, in bytes of JSON (as good a guess at tokens as characters, and better where
one character is several tokens), or in examples. Its size is that of the whole parts that it was made of; what is
kept of other sections is taken from the parts at hand.

Invariants: what instructs (system and developer messages) stays, wherever it stands; messages keep their order; a tool
call and its results stay together, and its arguments whole.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from gateway.exchange.call import Message
from gateway.exchange.parts import Parts
from gateway.truncation.shortening import How, shortened, with_share
from gateway.truncation.turns import INSTRUCTING, Turn, exchanges, last_turn, order, past


@dataclass(frozen=True)
class Section:
    """`at(parts, keep)` is the parts with `keep` of this section, 0 to `size`."""

    name: str
    size: int
    at: Callable[[Parts, int], Parts]


def history(whole: Parts, how: How) -> Section:
    """The turns before the last: whole turns go first, then a part of the texts of the one that just does not fit.

    Of a turn that stays, exchanges with tools go before the turn is shortened. One whose call alone has no room leaves
    it to the next turn.
    """
    keeping = [_Unit.of(whole.messages, *unit) for unit in _units(whole.messages, how)]
    begin = last_turn(whole.messages)

    def at(parts: Parts, keep: int) -> Parts:
        gone, messages = set[int](), whole.messages
        for unit in keeping:
            if keep >= unit.size:
                keep -= unit.size
            elif keep >= unit.fixed:
                share = (keep - unit.fixed) / (unit.size - unit.fixed)
                messages, keep = tuple(with_share(messages, unit.places, share, how)), 0
            else:
                gone.update(unit.places)
                keep = keep if unit.tools else 0
        kept = [message for place, message in enumerate(messages[:begin]) if place not in gone]
        return replace(parts, messages=(*kept, *_tail(parts, len(whole.messages) - begin)))

    return Section("history", sum(unit.size for unit in keeping), at)


def examples(whole: Parts, by_place: bool) -> Section:
    """The examples: the worst go first, or those that stand last in their file."""
    kept = sorted(whole.examples) if by_place else whole.examples

    def at(parts: Parts, keep: int) -> Parts:
        staying = frozenset(kept[:keep])
        return replace(parts, examples=tuple(one for one in whole.examples if one in staying))

    return Section("examples", len(kept), at)


def now(whole: Parts, variables: Sequence[str]) -> Section:
    """What is asked now, in the middle of its texts, the longest first: those of the last turn and of these
    variables."""
    begin = last_turn(whole.messages)
    texts: list[str | int] = [name for name in variables if isinstance(whole.variables.get(name), str)]
    texts += [at for at, message in enumerate(whole.messages) if at >= begin and _shortens(message)]
    sizes = {one: _size(whole.variables[one] if isinstance(one, str) else whole.messages[one]) for one in texts}
    texts.sort(key=lambda one: sizes[one])  # stable: of equal ones the later goes first

    def at(parts: Parts, keep: int) -> Parts:
        left, messages, values = keep, list(whole.messages), dict(parts.variables)
        for one in texts:
            share = min(left / sizes[one], 1.0)
            if isinstance(one, str):
                values[one] = shortened(whole.variables[one], share, "middle")
            else:
                messages = with_share(messages, [one], share, "middle")
            left = max(left - sizes[one], 0)
        head = parts.messages[: len(parts.messages) - len(whole.messages) + begin]
        return replace(parts, messages=(*head, *messages[begin:]), variables=values)

    return Section("user", sum(sizes.values()), at)


def raw(whole: Parts, how: How) -> Section:
    """The text of a raw prompt: its end stays, or both of its ends."""
    text = whole.text or ""

    def at(parts: Parts, keep: int) -> Parts:
        return replace(parts, text=shortened(text, keep / len(text), how) if text else text)

    return Section("text", len(text), at)


@dataclass(frozen=True)
class _Unit:
    """Messages that stay or go together, in bytes; `fixed` of these are no text that can be shortened."""

    places: Turn
    tools: bool
    size: int
    fixed: int

    @classmethod
    def of(cls, messages: Sequence[Message], places: Turn, tools: bool) -> "_Unit":
        bare = with_share([messages[at] for at in places], range(len(places)), 0.0, "oldest")
        return cls(places, tools, sum(_size(messages[at]) for at in places), sum(map(_size, bare)))


def _units(messages: Sequence[Message], how: How) -> Iterator[tuple[Turn, bool]]:
    """In the order in which they are kept."""
    for turn in reversed(order(past(messages), how)):
        plain, found = exchanges(messages, turn)
        yield from ((one, one is not plain) for one in (plain, *reversed(found)) if one)


def _tail(parts: Parts, count: int) -> tuple[Message, ...]:
    return parts.messages[len(parts.messages) - count :]


def _shortens(message: Message) -> bool:
    return message.get("role") not in INSTRUCTING


def _size(value: object) -> int:
    """In bytes; half of a surrogate pair is some too (and is refused where it is counted)."""
    return len(json.dumps(value, ensure_ascii=False, default=dict).encode("utf-8", "surrogatepass"))
