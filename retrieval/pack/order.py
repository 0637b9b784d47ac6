"""In which order a prompt lists its passages.

Models read the two ends of a long context best ("Lost in the Middle", Liu et al., arXiv 2307.03172): so the best
passage comes first, the second best last, the third second, and so on. But an engine's prefix cache only helps where
the same passages come as the same bytes, and two questions that find the same passages seldom rank all of them alike.
So the first question decides the order of a set of passages, and those after it, of the same owner, get that order
while it is remembered: for about as long as the engine remembers the prefix.

Knows no text. Invariant: what comes out are the passages that came in, none of which may come twice.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Final

from retrieval.passage import Found

Place = tuple[str, int, int]

REMEMBERED: Final = 4096  # sets, of some ten short names each: 4 MB. An engine's cache holds fewer such prefixes


def ends(found: Sequence[Found]) -> tuple[Found, ...]:
    """Passages, best first, to best first and second best last."""
    return (*found[0::2], *reversed(found[1::2]))


class Orders:
    """The orders of the sets of passages that came last. For one event loop, or one thread."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._known: OrderedDict[Hashable, tuple[Place, ...]] = OrderedDict()

    def of(self, owner: Hashable, found: Sequence[Found]) -> tuple[Found, ...]:
        """Passages, best first, in the order that the `owner`'s prompts list this set in.

        Each owner has orders of its own, so that the order tells nobody what another has asked.
        """
        known = {_place(one): one for one in found}
        owned = (owner, frozenset(known))
        order = self._known.setdefault(owned, tuple(map(_place, ends(found))))
        self._known.move_to_end(owned)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return tuple(known[place] for place in order)


def _place(found: Found) -> Place:
    """What tells passages of one collection apart, those that grew to their section among them."""
    return found.passage.document, found.passage.start, found.passage.end
