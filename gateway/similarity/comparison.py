"""Two readings side by side: how many content words they share, and which kind of pair they are. Pure."""

from dataclasses import dataclass
from typing import Final, Literal

from gateway.similarity.reading import Reading

# What a pair is. `identical`: but for case, punctuation and contractions. `same`: questions of the same content words.
# `described`: questions about a case that one of them tells at length. `restated`: long questions with few words in
# common. Both are near only when they ask the same. `statement`: the same content words without a question. `report`:
# long statements. `changed`: anything else, words were exchanged or added. Long texts of other languages are `changed`,
# for their words say too little here.
Relation = Literal["identical", "same", "described", "restated", "statement", "report", "changed"]

# Content words. Below them two near questions with few common words are about related things as often as the same.
LONG_QUESTION: Final = 7
LONGER_QUESTION: Final = 11
FEW_COMMON: Final = 0.45  # share of all their content words
SOME_COMMON: Final = 0.6
LONG_STATEMENT: Final = 9
DETAILS: Final = 2  # content words that one of two reports may have more; what adds more is news
# Words of the longer text of which a case is told at length, content words of the shorter one, and the overlap from
# which two of them are copies with one detail exchanged.
LONG_CASE: Final = 18
CASE: Final = 4
COPIED: Final = 0.7


@dataclass(frozen=True, slots=True)
class Comparison:
    """Distinct content words: `shared`, `exchanged` for others, `added` by the one that has more; `fewest` of one."""

    shared: int
    exchanged: int
    added: int
    fewest: int

    @classmethod
    def of(cls, a: Reading, b: Reading) -> "Comparison":
        mine, theirs = set(a.content), set(b.content)
        only_mine, only_theirs = len(mine - theirs), len(theirs - mine)
        exchanged = min(only_mine, only_theirs)
        return cls(len(mine & theirs), exchanged, abs(only_mine - only_theirs), min(len(mine), len(theirs)))

    @property
    def size(self) -> float:
        """Content words of a text, the mean of the two."""
        return self.shared + self.exchanged + self.added / 2

    @property
    def overlap(self) -> float:
        """Shared content words among all: 0 .. 1; 1 for two texts without any."""
        every = self.shared + 2 * self.exchanged + self.added
        return self.shared / every if every else 1.0


def relate(a: Reading, b: Reading, words: Comparison) -> Relation:
    """Which kind of pair they are."""
    if a.forms and a.forms == b.forms:
        return "identical"
    english = a.english and b.english
    equal = sorted(a.content) == sorted(b.content) and words.shared > 0
    if not a.question and not b.question:
        long = words.size >= LONG_STATEMENT and words.added <= DETAILS
        return "statement" if equal else "report" if long and english else "changed"
    if equal and _same_frame(a, b):
        return "same"
    if english and _case(a, b) and words.fewest >= CASE and words.overlap < COPIED:
        return "described"
    if not (a.question and b.question and english):
        return "changed"
    limit = SOME_COMMON if words.fewest >= LONGER_QUESTION else FEW_COMMON
    if words.fewest >= LONG_QUESTION and words.overlap < limit:
        return "restated"
    return "changed"


def _case(a: Reading, b: Reading) -> bool:
    return (a.tells or b.tells) and max(len(a.words), len(b.words)) >= LONG_CASE


def _same_frame(a: Reading, b: Reading) -> bool:
    """They ask for the same, of the same persons, and both or neither for a duty. How I do it is how it is done."""
    if a.asks != b.asks or a.duty != b.duty:
        return False
    persons = set(a.persons) ^ set(b.persons)
    return not persons or (persons == {"1"} and a.asks == {"how"})
