"""Job: put passages and several questions about them together the way the gateway's `answer` template does.

Does not know tokens or the network.
Invariants: every answer is exactly a sentence of a passage with its number, or NOTHING; a pack of the held-out side
holds no sentence that training saw, because the two sides take different pages (`sides`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from serving.tiny import grammar, questions
from serving.tiny.corpus import Section
from serving.tiny.passages import Library, Passage, numbered

SYSTEM = (
    "Answer from the numbered passages only, in one or two sentences. After each statement give the number of its "
    "passage in brackets, like [2]. If the passages do not say, answer exactly: The passages do not say."
)
NOTHING = "The passages do not say."
NO_PASSAGES = "I answer from passages, and none were given."
OTHER_SYSTEMS = ("", "You are a helpful assistant.", "Answer from the passages and cite them by number.", "Be brief.")
_CHAT = (
    "Hello|Hi!|Hello, who are you?|What can you do?|Thanks!|Say hello.|Write a poem about the sea.|ping|test|"
    "Count to ten.|Tell me a joke.|What is the capital of France?|Good morning|Help me, please.|Are you there?"
)
UNANSWERABLE = 0.13  # share of the questions at full difficulty


@dataclass
class Pack:
    """What is said before the questions, and each question with its answer."""

    system: str
    before: str
    pairs: list[tuple[str, str]]
    passages: int
    shown: list[Passage] = field(default_factory=list)
    unclear: list[bool] = field(default_factory=list)  # per pair: several sentences fit equally, the first was taken


class Maker:
    """Packs, from easy (`level` 0) to as hard as they get (1)."""

    def __init__(
        self, sections: Sequence[Section], rarity: questions.Rarity, rng: Random, made_up: bool = True
    ) -> None:
        """`made_up` False: passages of real sentences only."""
        self._library, self._rarity, self._rng, self._made_up = Library(sections), rarity, rng, made_up

    def reseed(self, rng: Random) -> None:
        self._rng = rng

    def pack(self, level: float, pairs: int, passages: int = 0) -> Pack:
        """`passages` 0: as many as the level brings."""
        rng = self._rng
        if not passages and rng.random() < 0.04 * level:
            return self._chat(pairs)
        hard = rng.random() < 2 * level  # many passages come before hard questions
        count = passages or (rng.choices((1, 2, 3, 4, 5, 6), (5, 10, 15, 25, 25, 20))[0] if hard else rng.randint(1, 2))
        shown = self._passages(count, level, 5 if hard else 2)
        candidates = [
            questions.Candidate(n, text, questions.stems(text), questions.stems(p.heading))
            for n, p in enumerate(shown, 1)
            for text in p.sentences
        ]
        pack = Pack(self._system(level), _fenced(rng, numbered(shown)), [], count, shown)
        for _ in range(pairs):
            asked, answer, unclear = self._pair(shown, candidates, level)
            pack.pairs.append((f"Question: {asked}", answer))
            pack.unclear.append(unclear)
        return pack

    def _system(self, level: float) -> str:
        """Mostly the gateway's; in easy packs often none, which is shorter."""
        if self._rng.random() < 0.5 * (1 - level):
            return ""
        return SYSTEM if self._rng.random() < 0.92 else self._rng.choice(OTHER_SYSTEMS)

    def _chat(self, pairs: int) -> Pack:
        rng = self._rng
        texts = [
            rng.choice((*_CHAT.split("|"), grammar.Page(rng).sentence(), self._foreign_question()))
            for _ in range(pairs)
        ]
        return Pack(
            rng.choice((SYSTEM, *OTHER_SYSTEMS, grammar.Page(rng).sentence())),
            "",
            [(t, NO_PASSAGES) for t in texts],
            0,
            unclear=[False] * pairs,
        )

    def _passages(self, count: int, level: float, most: int) -> list[Passage]:
        rng, kind = self._rng, self._rng.random() if self._made_up else 1.0
        nonsense_share = 0.25 - 0.13 * level
        lengths = [min(most, rng.choices((1, 2, 3, 4, 5), (22, 28, 25, 15, 10))[0]) for _ in range(count)]
        if kind < nonsense_share:
            vocabulary = rng.sample(self._library.words, 60) if rng.random() < 0.7 else self._library.words
            sections = [grammar.nonsense(rng, vocabulary, n) for n in lengths]
        elif kind < nonsense_share + 0.2:
            page = grammar.Page(rng)
            sections = [page.section(n) for n in lengths]
        else:
            sections = self._library.draw(rng, count, 0.75 * level)
        seen: set[str] = set()
        bare = rng.random() < 0.1
        return [p for s, n in zip(sections, lengths, strict=True) if (p := self._cut(s, n, seen, bare))]

    def _cut(self, section: Section, most: int, seen: set[str], bare: bool) -> Passage | None:
        start = self._rng.randint(0, max(0, len(section.sentences) - most))
        sentences = tuple(s for s in section.sentences[start : start + most] if s not in seen)
        seen.update(sentences)
        heading = (
            ""
            if bare
            else section.title
            if section.title == section.heading
            else f"{section.title} > {section.heading}"
        )
        return Passage(heading, sentences) if sentences else None

    def _foreign_question(self) -> str:
        made_up = self._rng.random() < 0.4
        section = grammar.Page(self._rng).section(1) if made_up else self._rng.choice(self._library.sections)
        return questions.question(self._rng, self._rng.choice(section.sentences), section.heading, 0.0, "it")

    def _pair(
        self, shown: Sequence[Passage], candidates: Sequence[questions.Candidate], level: float
    ) -> tuple[str, str, bool]:
        """A question, its answer, and whether other sentences fit as well."""
        rng = self._rng
        if rng.random() < UNANSWERABLE * level:
            for _ in range(8):
                asked = self._foreign_question()
                if self._rarity.best(asked, candidates)[1] <= questions.LITTLE:
                    return asked, NOTHING, False
        for _ in range(12):
            wanted = rng.choice(candidates)
            asked = questions.question(
                rng, wanted.text, shown[wanted.passage - 1].heading, 1.0 - level, rng.choice(self._library.words)
            )
            best, _score, lead = self._rarity.best(asked, candidates)
            if best and (lead >= questions.MARGIN or (lead < 1e-9 and rng.random() < 0.15 * level)):
                return asked, f"{best.text} [{best.passage}]", lead < 1e-9
        return wanted.text, f"{wanted.text} [{wanted.passage}]", False


def _fenced(rng: Random, passages: str) -> str:
    if rng.random() >= 0.2:
        return f"Passages:\n\n{passages}\n\n"
    mark = f"{rng.choice(('passages', 'context', 'data'))} {rng.getrandbits(rng.choice((24, 32, 64))):x}"
    opening = rng.choice(("", "Passages:\n\n", "Passages:\n"))
    return f"{opening}<{mark}>\n{passages}\n</{mark}>\n\n"
