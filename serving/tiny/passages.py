"""Job: find passages to ask about: sections that look alike, cut to a few sentences and numbered.

Does not know questions or answers, only which words carry meaning.
Invariants: training and evaluation draw from different pages (`sides`), so no sentence of one occurs in the other.
"""

import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from serving.tiny import questions
from serving.tiny.corpus import Section

HELD_OUT = 12  # one page in so many is kept for the evaluation


@dataclass(frozen=True)
class Passage:
    heading: str  # "Title > Heading", or nothing
    sentences: tuple[str, ...]


def sides(sections: Sequence[Section]) -> tuple[list[Section], list[Section]]:
    """(training, held out), divided by page title."""
    train: list[Section] = []
    held_out: list[Section] = []
    for section in sections:
        (held_out if zlib.crc32(section.title.encode()) % HELD_OUT == 0 else train).append(section)
    return train, held_out


class Library:
    """Real sections, and which words they hold, so that passages can be found that look alike."""

    def __init__(self, sections: Sequence[Section]) -> None:
        self.sections = sections
        self.words = sorted({w for s in sections for t in s.sentences for w in questions.words(t) if len(w) < 15})
        self._holding: dict[str, list[int]] = defaultdict(list)
        for i, section in enumerate(sections):
            for word in set().union(*map(questions.stems, section.sentences)):
                self._holding[word].append(i)

    def draw(self, rng: Random, count: int, alike: float) -> list[Section]:
        """`count` sections; with probability `alike` they share a word or stand near each other."""
        first = rng.randrange(len(self.sections))
        if rng.random() >= alike:
            return rng.choices(self.sections, k=count)
        near = range(max(0, first - 10), min(len(self.sections), first + 10))
        if rng.random() < 0.6:
            shared = sorted(
                questions.stems(rng.choice(self.sections[first].sentences)), key=lambda w: (len(self._holding[w]), w)
            )
            found = [i for w in shared[: rng.randint(1, 4)] for i in self._holding[w][:400]]
            near = range(0) if not found else near
            picked = rng.choices(found or list(near), k=count - 1)
        else:
            picked = rng.choices(near, k=count - 1)
        return [self.sections[i] for i in [first, *picked]]


def numbered(shown: Sequence[Passage]) -> str:
    return "\n\n".join(
        f"[{n}] {p.heading}\n{' '.join(p.sentences)}" if p.heading else f"[{n}] {' '.join(p.sentences)}"
        for n, p in enumerate(shown, 1)
    )
