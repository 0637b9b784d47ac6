"""The fragments of an answer's tool calls, in an order in which one call is whole before the next one begins.

An engine may take turns between several calls, and Anthropic's stream may not. The first call that is not whole is said
as it comes, the others wait for it. Knows no event. Invariant: each call's fragments keep their order; none is lost but
what comes after a call's arguments are a whole object, which can only be blanks.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.api.anthropic.answer import whole

Fragment = Mapping[str, Any]  # a member of a chat delta's `tool_calls`


def number(fragment: Fragment) -> int:
    """Which call it is a part of, as the engine counts them."""
    return int(fragment.get("index", 0))


def arguments(fragment: Fragment) -> str:
    return (fragment.get("function") or {}).get("arguments") or ""


class InTurn:
    """The calls of one answer."""

    def __init__(self) -> None:
        self._fragments: dict[int, list[Fragment]] = {}  # of the calls that are not over, the one that speaks first
        self._said = 0  # how many of the first call's fragments
        self._over: set[int] = set()

    def add(self, fragment: Fragment) -> Iterator[Fragment]:
        """What can be said now that this one is there."""
        if number(fragment) in self._over:
            return
        self._fragments.setdefault(number(fragment), []).append(fragment)
        yield from self._speak()
        while len(self._fragments) > 1 and self._is_whole():
            self._next()
            yield from self._speak()

    def rest(self) -> Iterator[Fragment]:
        """What still waits when the answer is over, whole or not."""
        while self._fragments:
            yield from self._speak()
            self._next()

    def _first(self) -> int:
        return next(iter(self._fragments))

    def _speak(self) -> Iterator[Fragment]:
        fragments = self._fragments[self._first()]
        said, self._said = self._said, len(fragments)
        yield from fragments[said:]

    def _is_whole(self) -> bool:
        return whole("".join(map(arguments, self._fragments[self._first()])))

    def _next(self) -> None:
        self._over.add(self._first())
        del self._fragments[self._first()]
        self._said = 0
