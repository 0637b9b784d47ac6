"""Which examples are chosen, best first, by their places in the file. Pure.

Invariant: the same similarities and labels give the same choice; of equal ones the first in the file is the better.
"""

from collections.abc import Sequence
from itertools import zip_longest

from prompts.template import Template

Places = tuple[int, ...]


def fixed(template: Template) -> Places:
    """The first ones of the file; all where the template says nothing."""
    count = template.front.shots.count if template.front.shots else len(template.shots)
    return tuple(range(min(count, len(template.shots))))


def similar(scores: Sequence[float], count: int) -> Places:
    """The most similar ones."""
    return tuple(sorted(range(len(scores)), key=lambda place: (-scores[place], place))[:count])


def balanced(scores: Sequence[float], labels: Sequence[str | None], count: int) -> Places:
    """The most similar one of each label, then the second of each: the label of the nearest example begins."""
    by_label: dict[str | None, list[int]] = {}
    for place in similar(scores, len(scores)):
        by_label.setdefault(labels[place], []).append(place)
    rounds = zip_longest(*by_label.values())
    return tuple(place for one in rounds for place in one if place is not None)[:count]
