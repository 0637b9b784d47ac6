"""A question taken apart: its content words in their common form, and what must not change beside them.

Knows no second question and no decision. English only in its tables; of another language it sees words and numbers.
Pure; questions are remembered, since the kept one of a nearest pair is read again and again.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from gateway.similarity import lexicon as lex
from gateway.similarity.asking import asks, core
from gateway.similarity.measures import numbers, units
from gateway.similarity.signs import written
from gateway.similarity.words import Word, spelled

REMEMBERED: Final = 8192  # readings of some 2 kB each
MARKS: Final = 2  # of the words that hardly any other language has

# Numbers with their separators; C++, C#, F#; words with their contraction; pauses. Any other sign means something: a
# currency, an operator, an emoji, the vowel sign of another script. Quotes and dashes that are left do not.
_TOKEN: Final = re.compile(
    r"(?<![\w.)])-\d+(?:[.,:/]\d+)*|\d+(?:[.,:/]\d+)*"
    r"|[^\W\d_]+(?:\+\+|#)(?!\w)|[^\W\d_]+(?:'[^\W\d_]+)?"
    r"|[.?!,;:]|[()]|_+|[^\w\s.?!,;:'\"()\-–—]+"
)
_ENDS: Final = frozenset(".?!")
_PAUSES: Final = frozenset(".?!,;:")


@dataclass(frozen=True, slots=True)
class Reading:
    """One question, in lower case and without pauses.

    - forms, words: as written and in common form; content: those of content, with the preposition that governs each
      (roles, or "")
    - numbers, units: sorted, with repetitions; counted: each number between its preposition and what it counts
    - negated: the content words before and after each negation
    - names: content words with a capital; past: verbs in a past form
    - persons: first and second persons in order, such as "12"; roles_of_asker: as subject, as object
    - letters: words of one letter, in order; duty: should, must or have to
    - asks: the kinds of answer; question: it asks anything
    - points: it speaks of what is not in it (this picture); own: of what holds for the asker (am I, should I)
    - tells: it says something of the asker beside what it asks (I have had it since May. My son is ill.)
    - english: so that the tables say enough of it
    """

    forms: tuple[str, ...]
    words: tuple[str, ...]
    content: tuple[str, ...]
    roles: tuple[str, ...]
    numbers: tuple[str, ...]
    counted: frozenset[tuple[str, str, str]]
    units: tuple[str, ...]
    calendar: frozenset[str]
    negated: tuple[tuple[str, str], ...]
    names: frozenset[str]
    past: frozenset[str]
    tense: str
    duty: bool
    passive: bool
    persons: str
    roles_of_asker: tuple[bool, bool]
    letters: str
    thirds: frozenset[str]
    coordinated: bool
    asks: frozenset[str]
    question: bool
    points: bool
    own: bool
    tells: bool
    english: bool


@lru_cache(maxsize=REMEMBERED)
def read(question: str) -> Reading:
    """The reading of a question, which is remembered."""
    return taken_apart(question)


def taken_apart(text: str) -> Reading:
    """The reading of any text, however long; an empty one of the empty text."""
    words = list(_words(text))
    plain = [word.form for word in words if word.form not in _PAUSES]
    content, roles = _content(words)
    forms = set(plain)
    sentences = core([word.form for word in words])
    asked = asks(sentences)
    heart = " ".join(sentences).split()
    return Reading(
        forms=tuple(plain),
        words=tuple(word.lemma for word in words if word.form not in _PAUSES),
        content=tuple(word.lemma for word in content),
        roles=roles,
        numbers=tuple(sorted(numbers(plain))),
        counted=frozenset(_counted(words)),
        units=tuple(sorted(units(plain))),
        calendar=frozenset(lex.CALENDAR[form] for form in plain if form in lex.CALENDAR),
        negated=tuple(_negated(words)),
        names=frozenset(word.lemma for word in content if word.capital),
        past=frozenset(word.lemma for word in content if word.past),
        tense=_tense(plain),
        duty=not forms.isdisjoint(lex.OBLIGATION) or any(pair in lex.HAVE_TO for pair in pairwise(heart)),
        passive=not forms.isdisjoint(lex.BEING),
        persons="".join("1" if form in lex.FIRST_PERSON else "2" for form in heart if form in _PERSONS),
        roles_of_asker=(not lex.SUBJECT.isdisjoint(heart), not lex.OBJECT.isdisjoint(heart)),
        letters=_letters(plain),
        thirds=frozenset(lex.THIRD_PERSONS[form] for form in plain if form in lex.THIRD_PERSONS),
        coordinated=not forms.isdisjoint(lex.COORDINATING),
        asks=asked,
        question=bool(asked) or "?" in text,
        points=any(map(_points, plain, [*plain[1:], ""])),
        english=len(forms & lex.ENGLISH) >= MARKS,
        tells=any(map(_tells, [".", *heart], heart)),
        own="whether" in asked and any(form in lex.OF_ASKER and after == "i" for form, after in pairwise(heart)),
    )


_TIMES: Final = lex.UNITS.keys() | lex.CALENDAR.keys()
_NO_CONTENT: Final = lex.FUNCTION | lex.NEGATIONS | lex.COORDINATING | lex.NUMBERS.keys() | _PAUSES
_PERSONS: Final = lex.FIRST_PERSON | lex.SECOND_PERSON


def _words(text: str) -> Iterator[Word]:
    """Tokens with contractions written out. A capital counts within a sentence only; IT, US and WHO are names, where
    not all is shouted."""
    starts, shouted = True, text.isupper()
    for token in _TOKEN.findall(written(text)):
        low = token.lower()
        acronym = len(token) > 1 and token.isupper() and not shouted
        if acronym and low in lex.FUNCTION:
            yield Word(token, token, past=False, capital=True)
        elif token[0].isupper() and not shouted and (acronym or not starts) and low not in _PERSONS:
            yield from (word._replace(capital=True) for word in spelled(low))
        else:
            yield from spelled(low)
        starts = low in _ENDS


def _content(words: list[Word]) -> tuple[list[Word], tuple[str, ...]]:
    """The content words and the preposition that governs each: it reaches to the next pause, auxiliary or pronoun."""
    content, roles, role = [], [], ""
    for word in words:
        form = word.form
        if form in lex.ROLES:
            role = form
        elif form in _PAUSES or form in lex.AUXILIARIES or form in _PERSONS:
            role = ""
        elif _is_content(form):
            content.append(word)
            roles.append(role)
    return content, tuple(roles)


def _is_content(form: str) -> bool:
    return form not in _NO_CONTENT and not form[0].isdigit()


def _letters(forms: list[str]) -> str:
    """Nothing where the only one is the article."""
    letters = "".join(form for form in forms if len(form) == 1 and form.isalpha() and form != "i")
    return letters if letters.strip("a") else ""


def _counted(words: list[Word]) -> Iterator[tuple[str, str, str]]:
    for at, word in enumerate(words):
        if word.form[0].isdigit() or (word.form in lex.NUMBERS and word.form != "one"):
            before = words[at - 1].form if at and words[at - 1].form in lex.ROLES else ""
            yield before, lex.NUMBERS.get(word.form, word.form), _first_content(words[at + 1 :])


def _negated(words: list[Word]) -> Iterator[tuple[str, str]]:
    for at, word in enumerate(words):
        if word.form in lex.NEGATIONS:
            yield _first_content(words[at - 1 :: -1] if at else ()), _first_content(words[at + 1 :])


def _first_content(words: Sequence[Word]) -> str:
    return next((word.lemma for word in words if _is_content(word.form)), "")


def _points(form: str, following: str) -> bool:
    return form in lex.POINTING or (form in ("this", "these") and following not in _TIMES)


def _tells(before: str, form: str) -> bool:
    """A clause begins with the asker; after an auxiliary it is a question's (do I, can we)."""
    if form in lex.SUBJECT:
        return before not in lex.AUXILIARIES and before not in lex.NEGATIONS
    return form in lex.OF_POSSESSOR and before in _ENDS


def _tense(forms: list[str]) -> str:
    """That of the first auxiliary: past, present, future, modal, or "" without one."""
    for form in forms:
        if form in lex.AUXILIARIES:
            kinds = ("past", lex.PAST), ("present", lex.PRESENT), ("future", lex.FUTURE)
            return next((name for name, table in kinds if form in table), "modal")
    return ""
