"""Small to big: a passage grows into the section it was cut from, as far as there is room.

Knows room only through a function. Invariants: what was found stays, each within one passage of the result; offsets
stay true, though white space between two passages of a section may be of another kind than in the document.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from itertools import chain, zip_longest

from retrieval.passage import Found, Passage
from retrieval.protocols import Index

Fits = Callable[[Sequence[Found]], bool]


def expanded(index: Index, found: Sequence[Found], fits: Fits) -> list[Found]:
    """The same list, best first, each grown by the passages around it, nearest first, while `fits` says that the list
    still has room. One that another has grown over is part of that."""
    grown = list(found)
    for one in found:
        if one in grown and one.row >= 0:
            grown = _grown(grown, one, index.around(one.row), fits)
    return grown


def _grown(found: list[Found], one: Found, around: Sequence[Passage], fits: Fits) -> list[Found]:
    neighbours = _nearest_first(one.passage, around)
    return _with(found, one, neighbours[: _most(len(neighbours), lambda n: fits(_with(found, one, neighbours[:n])))])


def _with(found: Sequence[Found], one: Found, neighbours: Sequence[Passage]) -> list[Found]:
    larger = replace(one, passage=reduce(_joined, neighbours, one.passage))
    return [larger if other is one else other for other in found if other is one or not _within(other, larger)]


def _most(count: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `count` that fits, 0 where 1 does not; asked for one no more than twice as large."""
    tried = 1
    while tried <= count and fits(tried):
        tried *= 2
    known = tried // 2
    return known + bisect_left(range(known + 1, min(tried, count + 1)), True, key=lambda number: not fits(number))


def _nearest_first(passage: Passage, around: Sequence[Passage]) -> list[Passage]:
    """What comes after it and before it in turn: a section is read on more often than back."""
    after = sorted((other for other in around if other.end > passage.end), key=lambda other: other.start)
    before = sorted((other for other in around if other.start < passage.start), key=lambda other: -other.end)
    return [other for other in chain.from_iterable(zip_longest(after, before)) if other is not None]


def _joined(one: Passage, other: Passage) -> Passage:
    """Two neighbours, which may overlap, or have white space between them that no passage holds."""
    first, second = (one, other) if one.start <= other.start else (other, one)
    if second.end <= first.end:
        return first
    text = first.text + _space(second.start - first.end) + second.text[max(0, first.end - second.start) :]
    return replace(one, id=f"{one.document}#{first.start}-{second.end}", text=text, start=first.start, end=second.end)


def _space(length: int) -> str:
    """A paragraph's end, or a line's and what it is indented by: code keeps its shape, and prose does not mind."""
    return "\n\n" if length == 2 else "\n" + " " * (length - 1) if length > 0 else ""


def _within(found: Found, larger: Found) -> bool:
    passage, whole = found.passage, larger.passage
    return passage.document == whole.document and whole.start <= passage.start and passage.end <= whole.end
