"""Job: make a question out of a sentence, and say which of several sentences a question asks for.

Does not know tokens or prompts.
Invariants: words are compared by their stem, weighted by how rare they are; the rule that labels the training
examples and the one that judges the answers are the same, `best`.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from random import Random
from typing import NamedTuple

_FUNCTION_WORDS = """
a an the this that these those it its they their them he she his her we our you your i my me one ones and or but
not no nor so if then than as at by for from in into of off on onto out over per to up via with without within
is are was were be been being am do does did doing done has have had having can could may might must shall
should will would what which who whom whose when where why how there here all any each every both few many more
most much other some such only own same too very just also about after before during while until because since
through between under above again once let lets get gets use used using make makes made new way happen happens
tell explain mean means called know whether however even though although whenever unless long
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
_IRREGULAR = """
kept keep, held hold, sent send, written write, wrote write, paid pay, spent spend, chosen choose, taken take,
given give, found find, ran run, lost lose, left leave, built build, sum summ, said say, told tell, shown show,
woken wake, hidden hide
"""
IRREGULAR = dict(pair.split() for pair in _IRREGULAR.split(","))
HEADING_WEIGHT = 0.5  # a word that only the heading has: less than in the sentence, enough to tell passages apart
ENOUGH = 0.5  # share of a question's weight that the best sentence must hold, or the passages do not say
LITTLE = 0.3  # at most this share is found anywhere when a question is meant to have no answer
MARGIN = 0.15  # by which the best must lead, so that no example teaches a choice that rests on a hair
_OPENINGS = (
    "What is|What are|What does|What do|What|How does|How do|How is|How are|How can|Why is|Why are|Why does|Why do|"
    "Why must|When is|When are|When does|When do|Where is|Where are|Where does|Which|Who|How many|How much|"
    "How long is|How long does|How often is|How often are|Can|Does|Do|Is|Are|What happens when|What happens if|"
    "What can|What must|What makes|In which case is|Tell me about|Explain|"
)
OPENINGS = _OPENINGS.split("|")
CLOSINGS = ("", "", "", "", "", "", " do", " mean", " for", " used for", " in", " work", " happen", " done")
FILLERS = ("the", "a", "of", "for", "in", "to", "and", "is", "are", "by", "with", "on", "the", "be", "from", "its")


class Candidate(NamedTuple):
    """A sentence as the rule sees it."""

    passage: int  # from 1
    text: str
    stems: frozenset[str]
    heading: frozenset[str]


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    word = IRREGULAR.get(word, word)
    for ending, instead in (("ies", "y"), ("ied", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh")):
        if word.endswith(ending) and len(word) > 4:
            return word[: -len(ending)] + instead
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            word = word[: -len(ending)]
            return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl" else word
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z0-9]+(?:[_'-][A-Za-z0-9]+)*", text)


@lru_cache(maxsize=100_000)
def stems(text: str) -> frozenset[str]:
    """The stems of the words that carry meaning."""
    return frozenset(stem(w.removesuffix("'s")) for w in map(str.lower, words(text)) if w not in FUNCTION_WORDS)


class Rarity:
    """How much a word says: the logarithm of how seldom it occurs."""

    def __init__(self, texts: Iterable[str]) -> None:
        counts: Counter[str] = Counter()
        total = 0
        for text in texts:
            counts.update(stems(text))
            total += 1
        self._most = math.log(total)
        self._weights = {s: max(1.0, math.log(total / n)) for s, n in counts.items()}

    def __call__(self, word: str) -> float:
        return self._weights.get(word, self._most)

    def score(self, asked: frozenset[str], candidate: Candidate) -> float:
        """The share of the question's weight that a sentence holds."""
        total = sum(map(self, asked))
        found = sum(self(s) for s in asked & candidate.stems) + HEADING_WEIGHT * sum(
            self(s) for s in (asked - candidate.stems) & candidate.heading
        )
        return found / total if total else 0.0

    def best(self, question: str, candidates: Sequence[Candidate]) -> tuple[Candidate | None, float, float]:
        """The sentence asked for (the earliest of equals), its score, and its lead over the next that differs in score.

        None if the passages do not say. A lead of 0 means that others score the same.
        """
        asked = stems(question)
        scores = [self.score(asked, c) for c in candidates]
        if not scores or (top := max(scores)) < ENOUGH:
            return None, max(scores, default=0.0), 1.0
        winner = scores.index(top)
        lead = top - max((s for i, s in enumerate(scores) if i != winner), default=0.0)
        return candidates[winner], top, lead


def question(rng: Random, sentence: str, heading: str, ease: float, foreign: str) -> str:
    """A question for `sentence`. `ease` 1: its first words as they are; 0: anything. `foreign`: a word to mix in."""
    all_words = words(sentence)
    if rng.random() < ease:
        begun = all_words[: rng.randint(2, 5)]
        return f"{' '.join(begun)}?" if rng.random() < 0.4 else _opened(rng, begun, 0.0)
    content = [w for w in all_words if w.lower() not in FUNCTION_WORDS] or all_words
    count = min(len(content), rng.choices((1, 2, 3, 4, 5, 6), (3, 24, 30, 22, 13, 8))[0])
    start = rng.randrange(len(content) - count + 1)
    kind = rng.random()
    if kind < 0.3:
        picked = content[start : start + count]
    elif kind < 0.4:
        first = all_words.index(content[start])
        return _opened(rng, all_words[first : first + count + 2], 0.0)
    else:
        picked = [content[i] for i in sorted(rng.sample(range(len(content)), count))]
    if rng.random() < 0.15 and (extra := [w for w in words(heading) if w.lower() not in FUNCTION_WORDS]):
        picked = extra[: rng.randint(1, 2)] + picked[: rng.randint(1, 3)]
    if rng.random() < 0.08:
        picked.insert(rng.randint(0, len(picked)), foreign)
    if rng.random() < 0.1:
        rng.shuffle(picked)
    return _opened(rng, [_bent(rng, w) if rng.random() < 0.25 else w for w in dict.fromkeys(picked)], 0.35)


def _bent(rng: Random, word: str) -> str:
    """The word in another form with, most often, the same stem."""
    if len(word) < 4 or not word.islower() or not word.isalpha():
        return word
    base = word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
    if base.endswith("ing") and len(base) > 6:
        return base[:-3]
    if base.endswith("ed") and len(base) > 5:
        return rng.choice((base[:-2], base[:-1])) if base[-3] not in "aeiou" else base
    return (
        base
        if base != word or base.endswith(("s", "x", "y", "h"))
        else rng.choice((word + "s", word + ("d" if word.endswith("e") else "ed")))
    )


def _opened(rng: Random, picked: Sequence[str], filling: float) -> str:
    """The words as a question: in lower case unless they are names, after an opening, small words between them."""
    parts: list[str] = []
    for word in picked:
        if rng.random() < filling:
            parts.append(rng.choice(FILLERS))
        plain = word[1:].islower() or len(word) == 1
        parts.append(word.lower() if plain or rng.random() < 0.05 else word)
    opening = rng.choice(OPENINGS)
    if opening and rng.random() < 0.3:
        parts.insert(0, "the")
    text = f"{opening} {' '.join(parts)}".strip() + rng.choice(CLOSINGS)
    return (
        text[0].upper()
        + text[1:]
        + ("." if opening in ("Tell me about", "Explain") else rng.choice(("?",) * 9 + ("",)))
    )
