"""One word and its common form: spelling, synonym, plural, inflection. A light stemmer, no dictionary."""

from functools import lru_cache
from typing import Final, NamedTuple

from gateway.similarity import lexicon as lex

_VOWELS: Final = frozenset("aeiouy")
_DOUBLED: Final = frozenset(["bb", "dd", "gg", "mm", "nn", "pp", "rr", "tt"])


class Word(NamedTuple):
    """`form` as written, in lower case; `lemma` what it is compared by; `past`: a past form of a verb."""

    form: str
    lemma: str
    past: bool
    capital: bool = False


@lru_cache(maxsize=65536)  # a vocabulary
def spelled(token: str) -> tuple[Word, ...]:
    """The words of a token in lower case, contractions written out: `can't` is two."""
    return tuple(Word(form, lemma(form), form.endswith("ed") or form in lex.IRREGULAR) for form in _expanded(token))


def lemma(form: str) -> str:
    """The common form of a word in lower case; words that may stand for each other share it."""
    if len(form) > 2 and form in lex.UNITS:
        return lex.UNITS[form]
    stemmed = stem(form)
    stemmed = _SPELLINGS.get(stemmed, stemmed)
    return _SYNONYMS.get(stemmed, stemmed)


def stem(form: str) -> str:
    """Without the endings of plural, -ing and -ed, and without a final e: `uses`, `used`, `using`, `use` are one."""
    form = lex.PLURALS.get(form) or lex.IRREGULAR.get(form) or form
    if len(form) < 3 or not form.isalpha():
        return form
    return _inflection(_plural(form)).removesuffix("e") or form


def _plural(form: str) -> str:
    if form.endswith("ies") and len(form) > 4:
        return form[:-3] + "y"
    if form.endswith(("sses", "xes", "ches", "shes", "zes")):
        return form[:-2]
    return form[:-1] if form.endswith("s") and not form.endswith(("ss", "us", "is")) else form


def _inflection(form: str) -> str:
    if form.endswith("ied") and len(form) > 4:
        return form[:-3] + "y"
    for ending in ("ing", "ed"):
        left = form.removesuffix(ending)
        if left != form and len(left) > 1 and not _VOWELS.isdisjoint(left) and not form.endswith("eed"):
            return left[:-1] if left[-2:] in _DOUBLED else left
    return form


def _expanded(token: str) -> list[str]:
    if written := lex.CONTRACTED.get(token):
        return written.split()
    head, mark, tail = token.partition("'")
    if not mark:
        return [token]
    if tail == "s":
        return [head, "is"] if head in lex.IS_AFTER else [head]
    if token.endswith("n't"):
        return [token[:-3], "not"]
    return [head, lex.CONTRACTED["'" + tail]] if "'" + tail in lex.CONTRACTED else [head]


_SPELLINGS: Final = {stem(word): stem(first) for word, first in lex.SPELLING.items()}
_SYNONYMS: Final = {stem(word): stem(first) for word, first in lex.SYNONYMS.items()}
