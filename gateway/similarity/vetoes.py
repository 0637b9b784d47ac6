"""What speaks against serving a similar question's answer: differences that cosine similarity hardly sees. Pure.

A question about 500 years and one about 50 have cosine 0.99, and so have a question and its reversal. Every veto takes
two readings, in either order, and says whether they differ in what it watches. It knows no similarity.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from gateway.similarity.lexicon import NEGATING, OPPOSITES, TELLING
from gateway.similarity.reading import Reading
from gateway.similarity.words import lemma

Veto = Callable[[Reading, Reading], bool]
NEARLY: Final = 0.6  # share of common content words from which their order means something


def numbers(a: Reading, b: Reading) -> bool:
    """Other numbers, or one more: 500 and 50 years, IPv4 and IPv6. Words count: two and 2. Nor may they count others:
    two adults and one child."""
    return a.numbers != b.numbers or (a.counted != b.counted and set(a.content) == set(b.content))


def units(a: Reading, b: Reading) -> bool:
    """5 mg and 5 g; miles and kilometres. A unit that one leaves out speaks against it where there are numbers."""
    return a.units != b.units and bool((a.units and b.units) or a.numbers)


def dates(a: Reading, b: Reading) -> bool:
    """Another day, month or time of day."""
    return a.calendar != b.calendar


def negation(a: Reading, b: Reading) -> bool:
    """One is negated and the other is not, or in another place: with a word of its own, or a prefix (safe, unsafe)."""
    if len(a.negated) != len(b.negated):
        return True
    if a.negated != b.negated and (_of_clauses(a) or _of_clauses(b)):
        return True  # the other clause is negated
    mine, theirs = _apart(a.content, b.content)
    return _negates(mine, theirs) or _negates(theirs, mine)


def opposites(a: Reading, b: Reading) -> bool:
    """A word is exchanged for its opposite: buy and sell, before and after."""
    mine, theirs = _apart(a.words, b.words)
    return any(not theirs.isdisjoint(_OPPOSITES.get(word, ())) for word in mine)


def asking(a: Reading, b: Reading) -> bool:
    """They want another kind of answer: who and when, how and why, yes or no and how many."""
    return bool(a.asks and b.asks) and a.asks.isdisjoint(b.asks) and not (_EXISTING & a.asks and _EXISTING & b.asks)


def tense(a: Reading, b: Reading) -> bool:
    """Did, does or will it; can or will it; won and wins."""
    tenses = {a.tense, b.tense}
    if len(tenses) == 2 and (tenses <= _TENSES or ("whether" in a.asks & b.asks and "" not in tenses)):
        return not _POSSIBLE.intersection((*a.forms, *b.forms))  # is it possible: can I
    if a.passive or b.passive or a.tense or b.tense:
        return False
    changed = a.past ^ b.past
    return bool(changed & set(a.content) & set(b.content))


def persons(a: Reading, b: Reading) -> bool:
    """Who does it to whom: can I call you, can you call me; his and hers."""
    both = {"1", "2"} <= set(a.persons) and {"1", "2"} <= set(b.persons)
    if both and a.persons[0] != b.persons[0]:
        return True
    if all(mine != theirs for mine, theirs in zip(a.roles_of_asker, b.roles_of_asker, strict=True)):
        return True
    return bool(a.thirds and b.thirds) and a.thirds.isdisjoint(b.thirds)


def order(a: Reading, b: Reading) -> bool:
    """The same words in other places: cats afraid of tigers, from A to B. Not in `A and B`, nor when a phrase moves as
    a whole with its preposition."""
    mine, theirs = _places(a), _places(b)
    common = mine.keys() & theirs.keys()
    if len(common) < NEARLY * max(len(mine), len(theirs)):
        return False
    if a.coordinated and b.coordinated and not a.negated:
        return False
    if any(_other_role(mine[word][1], theirs[word][1]) for word in common) or a.letters != b.letters:
        return True
    ordered = sorted(common, key=lambda word: mine[word][0])
    return any(
        theirs[one][0] > theirs[other][0] and not _moved(mine, theirs, one, other)
        for at, one in enumerate(ordered)
        for other in ordered[at + 1 :]
    )


def names(a: Reading, b: Reading) -> bool:
    """Another name in the place of a name."""
    return bool(a.names - set(b.content)) and bool(b.names - set(a.content))


def any_name(a: Reading, b: Reading) -> bool:
    """A name that the other does not have."""
    return bool(a.names - set(b.content)) or bool(b.names - set(a.content))


def pointing(a: Reading, b: Reading) -> bool:
    """They speak of something that neither contains, such as this picture: it need not be the same one."""
    return a.points or b.points


def own_case(a: Reading, b: Reading) -> bool:
    """What is asked depends on the asker (am I, should I), of whom a short question says little."""
    return a.own or b.own


def other_numbers(a: Reading, b: Reading) -> bool:
    """Each has a number that the other has not; one that is left out says nothing in a long text."""
    return _conflict(a.numbers, b.numbers)


def other_units(a: Reading, b: Reading) -> bool:
    """Each has a unit that the other has not."""
    return _conflict(a.units, b.units)


def other_dates(a: Reading, b: Reading) -> bool:
    """Each has a day, month or time of day that the other has not."""
    return _conflict(a.calendar, b.calendar)


_TENSES: Final = frozenset({"past", "present", "future"})
_POSSIBLE: Final = frozenset({"possible", "able", "allowed"})
_EXISTING: Final = frozenset({"exists", "whether", "what"})


def _conflict(mine: Iterable[str], theirs: Iterable[str]) -> bool:
    one, other = Counter(mine), Counter(theirs)
    return bool(one - other) and bool(other - one)


def _apart(a: Iterable[str], b: Iterable[str]) -> tuple[set[str], set[str]]:
    """The words that only the first has, and those that only the second has."""
    mine, theirs = set(a), set(b)
    return mine - theirs, theirs - mine


def _other_role(one: str, other: str) -> bool:
    """Who did it has become to whom it was done, or what it was done with what it was done for."""
    return {one, other} == {"", "by"} or (one != other and {one, other} <= TELLING)


def _of_clauses(reading: Reading) -> bool:
    """It joins clauses, or says something twice."""
    return reading.coordinated or "but" in reading.forms or len(set(reading.content)) < len(reading.content)


def _negates(words: set[str], bases: set[str]) -> bool:
    """Whether one of the words is one of the bases with a prefix. By look-up: texts may have thousands of both."""
    return any(word.startswith(prefix) and word[len(prefix) :] in bases for word in words for prefix in NEGATING)


def _opposites() -> dict[str, set[str]]:
    """Of each word its opposites, in their common form."""
    found: dict[str, set[str]] = defaultdict(set)
    for one, other in OPPOSITES:
        found[lemma(one)].add(lemma(other))
        found[lemma(other)].add(lemma(one))
    return dict(found)


_OPPOSITES: Final = _opposites()


def _places(reading: Reading) -> dict[str, tuple[int, str]]:
    """Where each content word stands, and its role; of a repeated word the first place."""
    places: dict[str, tuple[int, str]] = {}
    for at, (word, role) in enumerate(zip(reading.content, reading.roles, strict=True)):
        places.setdefault(word, (at, role))
    return places


def _moved(mine: dict[str, tuple[int, str]], theirs: dict[str, tuple[int, str]], one: str, other: str) -> bool:
    """Two words that changed places with their prepositions: `for 3 days, keep 50 logs`."""
    return mine[one][1] == theirs[one][1] != theirs[other][1] == mine[other][1]


def contradict(a: Reading, b: Reading) -> bool:
    """Whether two texts that are no questions, two answers say, contradict each other."""
    return numbers(a, b) or other_units(a, b) or negation(a, b)


# By what a reader is told. `Judge(ignore=...)` takes these names.
VETOES: Final[Mapping[str, Veto]] = {
    "numbers": numbers,
    "units": units,
    "dates": dates,
    "negation": negation,
    "opposites": opposites,
    "kind of question": asking,
    "tense": tense,
    "persons": persons,
    "order of words": order,
    "names": names,
    "what they point at": pointing,
    "who asks": own_case,
}
STRICT: Final = tuple(VETOES.items())
# In a long text a detail that one leaves out says little, and phrases move; where all words are exchanged, opposites
# are found by chance. A day that one report adds is news.
OF_STATEMENTS: Final[tuple[tuple[str, Veto], ...]] = (
    ("numbers", numbers),
    ("units", other_units),
    ("dates", dates),
    ("negation", negation),
    ("opposites", opposites),
    ("tense", tense),
    ("persons", persons),
)
OF_RESTATED: Final[tuple[tuple[str, Veto], ...]] = (
    ("numbers", other_numbers),
    ("units", other_units),
    ("dates", other_dates),
    ("names", names),
)
# What has been done to somebody is another case than what is to be done.
OF_DESCRIBED: Final[tuple[tuple[str, Veto], ...]] = (*OF_RESTATED, ("opposites", opposites), ("tense", tense))
OF_CLOSED: Final[tuple[tuple[str, Veto], ...]] = (("opposites", opposites),)
