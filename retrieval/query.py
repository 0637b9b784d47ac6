"""What is searched for, by whom, and in which part of a collection. Knows neither vectors' makers nor indexes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a collection that one search may see. It is applied before ranking, never after.

    `access` are the labels that the reader holds: a passage is seen by who holds all of its labels, so that a further
    label only ever narrows. `where` asks for metadata: each key must have one of its values.
    """

    access: frozenset[str] = frozenset()
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query:
    """A question in one or more `views`, the question by itself first, then with what was said before it; `vectors`,
    float32 [len(views), dimensions], are their unit vectors."""

    views: tuple[str, ...]
    vectors: Vectors
    scope: Scope = Scope()
