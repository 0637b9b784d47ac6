"""Parts of a prompt cut until they fit, and not further: section after section, then as much again as there is room.

    1. each section in turn is left out; the first with which the rest fits is kept as far as it does
    2. the sections left out before it grow back into what is still empty

Each length is a count of the whole request by the model's own vocabulary and chat template, so that what comes out fits
exactly. A count has a price (`search`): one tells that nothing must be cut; a cut takes four to six of them, most of
the length of the room.

In rooms of a few hundred tokens the roles of one more turn may take more than SLACK, and that much stays empty.
Invariants: deterministic; what comes out has at most `room` tokens, or all sections are left out.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.exchange.parts import Parts
from gateway.truncation.search import SLACK, largest
from gateway.truncation.sections import Section

Count = Callable[[Parts], Awaitable[int]]


@dataclass(frozen=True)
class Fitted:
    """What is left, and its `tokens`: more than the room where nothing else could be left out."""

    parts: Parts
    tokens: int


async def fitted(parts: Parts, sections: Sequence[Section], count: Count, room: int) -> Fitted:
    """The parts, cut to at most `room` tokens where leaving out sections can do it. Raises what `count` raises."""
    found, emptied = Fitted(parts, await count(parts)), list[Section]()
    for section in sections:
        if found.tokens <= room:
            break
        bare = section.at(found.parts, 0)
        least = await count(bare)
        if least <= room:
            found = await _kept(section, found.parts, least, found.tokens, count, room)
        else:
            found = Fitted(bare, least)
            emptied.append(section)
    if found.tokens <= room:
        for section in reversed(emptied):
            found = await _again(section, found, count, room)
    return found


async def _again(section: Section, found: Fitted, count: Count, room: int) -> Fitted:
    """A section that was left out, as far as there is room for it now."""
    if room - found.tokens <= SLACK * room:
        return found
    whole = await count(section.at(found.parts, section.size))
    return await _kept(section, found.parts, found.tokens, whole, count, room)


async def _kept(section: Section, parts: Parts, least: int, whole: int, count: Count, room: int) -> Fitted:
    async def counted(keep: int) -> int:
        return await count(section.at(parts, keep))

    keep, tokens = await largest(counted, section.size, least, whole, room)
    return Fitted(section.at(parts, keep), tokens)
