"""Job: make up sentences about software and LLM serving, and sentences of words that mean nothing.

Does not know questions or passages. The words are in `lexicon`.
Invariants: the same `Random` gives the same sentences; a made-up page keeps to few nouns, so that its sentences share
words the way the sentences of one page of documentation do.
"""

from random import Random

from serving.tiny.corpus import Section
from serving.tiny.lexicon import ADJECTIVES, LINKS, NOUNS, PLACES, UNITS, VERBS

IRREGULAR = {
    "keep": "kept",
    "send": "sent",
    "read": "read",
    "write": "written",
    "split": "split",
    "show": "shown",
    "hide": "hidden",
    "wake": "woken",
    "override": "overridden",
    "choose": "chosen",
    "stop": "stopped",
    "drop": "dropped",
    "log": "logged",
    "map": "mapped",
    "swap": "swapped",
    "pad": "padded",
    "cancel": "cancelled",
}


def third_person(verb: str) -> str:
    if verb.endswith(("s", "sh", "ch", "x")):
        return verb + "es"
    return verb[:-1] + "ies" if verb.endswith("y") and verb[-2] not in "aeo" else verb + "s"


def participle(verb: str) -> str:
    if verb in IRREGULAR:
        return IRREGULAR[verb]
    if verb.endswith("y") and verb[-2] not in "aeo":
        return verb[:-1] + "ied"
    return verb + "d" if verb.endswith("e") else verb + "ed"


def plural(noun: str) -> str:
    if noun.endswith(("s", "x", "sh", "ch")):
        return noun + "es"
    return noun[:-1] + "ies" if noun.endswith("y") and noun[-2] not in "aeo" else noun + "s"


class Page:
    """Sentences that keep to a handful of nouns, verbs and adjectives."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._nouns = rng.sample(NOUNS, rng.randint(4, 14))
        self._verbs = rng.sample(VERBS, rng.randint(6, 16))
        self._adjectives = rng.sample(ADJECTIVES, rng.randint(3, 8))

    def section(self, count: int) -> Section:
        title, heading = self._title(), self._title()
        return Section(title, heading, tuple(dict.fromkeys(self.sentence() for _ in range(count))))

    def _title(self) -> str:
        noun, rng = self._rng.choice(self._nouns), self._rng
        text = rng.choice(
            (
                noun,
                plural(noun),
                f"{rng.choice(self._adjectives)} {plural(noun)}",
                f"{noun} and {rng.choice(self._nouns)}",
                f"how a {noun} is {participle(rng.choice(self._verbs))}",
                f"{noun} {rng.choice(self._nouns)}",
            )
        )
        return text[0].upper() + text[1:]

    def sentence(self) -> str:
        rng = self._rng
        text = self._clause()
        kind = rng.random()
        if kind < 0.45:
            text += f" {rng.choice(LINKS)} {self._clause()}"
        elif kind < 0.55:
            text = f"{rng.choice(LINKS)} {self._clause()}, {text}"
        elif kind < 0.65:
            text += f", and {self._clause()}"
        elif kind < 0.75:
            text += f", not the {rng.choice(self._nouns)}"
        return text[0].upper() + text[1:] + "."

    def _thing(self) -> str:
        rng = self._rng
        noun = rng.choice(self._nouns)
        if rng.random() < 0.35:
            noun = f"{rng.choice(self._adjectives)} {noun}"
        if rng.random() < 0.15:
            noun = f"{noun} of the {rng.choice(self._nouns)}"
        article = "an" if noun[0] in "aeiou" else "a"
        return f"{rng.choice(('the', 'the', 'each', article, 'every', 'its', 'this'))} {noun}"

    def _clause(self) -> str:
        rng = self._rng
        verb, other = rng.choice(self._verbs), rng.choice(self._verbs)
        things, many = f"{rng.choice(('', 'all ', 'most ', 'the '))}{plural(rng.choice(self._nouns))}", self._thing()
        return rng.choice(
            (
                lambda: f"{many} {third_person(verb)} {self._thing()}",
                lambda: f"{things} {verb} {self._thing()}",
                lambda: f"{many} is {participle(verb)} {rng.choice(PLACES)}",
                lambda: f"{things} are {participle(verb)} by {self._thing()}",
                lambda: f"{many} is {participle(verb)} for {self._amount()}",
                lambda: f"{many} can {verb} up to {self._amount()}",
                lambda: f"{many} must not {verb} {self._thing()} {rng.choice(PLACES)}",
                lambda: f"{things} are {participle(verb)} every {self._amount()}",
                lambda: f"{many} {third_person(verb)} {self._thing()} and {third_person(other)} {self._thing()}",
                lambda: f"to {verb} {self._thing()}, {self._thing()} {third_person(other)} {self._thing()}",
                lambda: f"{things} that {verb} {self._thing()} are {participle(other)} {rng.choice(PLACES)}",
            )
        )()

    def _amount(self) -> str:
        number = self._rng.choice(
            (
                self._rng.randint(2, 12),
                self._rng.choice((15, 16, 20, 30, 32, 50, 60, 64, 90, 100, 128, 200, 256, 300, 429, 500, 512, 1000)),
            )
        )
        return f"{number} {self._rng.choice(UNITS)}"


def nonsense(rng: Random, words: list[str], count: int) -> Section:
    """Sentences of words drawn at random: they can only be told apart and copied, never guessed."""

    def one() -> str:
        text = " ".join(rng.choices(words, k=rng.randint(5, 18)))
        return text[0].upper() + text[1:] + "."

    return Section(one().strip(".")[:40], one().strip(".")[:30], tuple(one() for _ in range(count)))
