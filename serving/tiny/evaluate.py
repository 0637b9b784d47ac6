"""Job: measure the finished model on sentences it never saw.

Does not know how it was trained.
Invariants: an answer counts as exact only if
every character is right; a citation counts if the number is that of the right passage, whatever the words.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.tiny import packs
from serving.tiny.decode import Prompt
from serving.tiny.packs import NO_PASSAGES, NOTHING, SYSTEM
from serving.tiny.passages import Passage, numbered

CASES = Path(__file__).parent / "cases.json"  # written by hand, never trained on
CHATS = (
    "Good evening!",
    "What time is it?",
    "Translate this into German.",
    "How are you today?",
    "Who made you?",
    "ok",
)


@dataclass
class Score:
    """Counts over questions of one kind."""

    answerable: int = 0
    exact: int = 0
    cited: int = 0  # the right passage, whatever the words
    gave_up: int = 0  # said NOTHING although a passage answers
    unanswerable: int = 0
    refused: int = 0  # rightly said NOTHING

    def add(self, wanted: str, said: str) -> None:
        if wanted in (NOTHING, NO_PASSAGES):
            self.unanswerable += 1
            self.refused += said == wanted
            return
        self.answerable += 1
        self.exact += said == wanted
        self.cited += _number(said) == _number(wanted)
        self.gave_up += said == NOTHING

    def figures(self) -> dict[str, float | int]:
        some, none = max(1, self.answerable), max(1, self.unanswerable)
        return {
            "questions": self.answerable,
            "exact": round(self.exact / some, 3),
            "right_passage": round(self.cited / some, 3),
            "gave_up": round(self.gave_up / some, 3),
            "unanswerable": self.unanswerable,
            "refused": round(self.refused / none, 3),
            "all_exact": round((self.exact + self.refused) / max(1, self.answerable + self.unanswerable), 3),
        }


def _number(said: str) -> str:
    found = re.findall(r"\[(\d+)\]", said)
    return found[-1] if found else ""


Ask = Callable[[Sequence[Prompt]], list[str]]


def on_packs(ask: Ask, maker: packs.Maker, per_count: int) -> dict[str, Any]:
    """Scores on made questions, by number of passages; `unclear` apart, where several sentences fit equally well."""
    made = [(count, maker.pack(1.0, 4, count)) for count in range(1, 7) for _ in range(per_count // 4)]
    said = iter(ask([(pack.system, pack.before + asked) for _, pack in made for asked, _ in pack.pairs]))
    scores: dict[str, Score] = defaultdict(Score)
    for count, pack in made:
        for (_, wanted), unclear in zip(pack.pairs, pack.unclear, strict=True):
            one = next(said)
            for name in ("unclear",) if unclear else (f"{count} passages", "all"):
                scores[name].add(wanted, one)
    return {name: score.figures() for name, score in sorted(scores.items())}


def on_chat(ask: Ask) -> float:
    prompts = [(system, text) for system in ("", SYSTEM) for text in CHATS]
    return sum(said == NO_PASSAGES for said in ask(prompts)) / len(prompts)


def on_cases(ask: Ask) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The score on the cases written by hand, and every answer that was wrong."""
    prompts, questions, wanted = [], [], []
    for case in json.loads(CASES.read_text(encoding="utf-8")):
        shown = [Passage(heading, tuple(re.split(r"(?<=\.) ", text))) for heading, text in case["passages"]]
        for asked, number, sentence in case["questions"]:
            wanted.append(f"{shown[number - 1].sentences[sentence]} [{number}]" if number else NOTHING)
            prompts.append((SYSTEM, f"Passages:\n\n{numbered(shown)}\n\nQuestion: {asked}"))
            questions.append(asked)
    score, wrong = Score(), []
    for question, right, said in zip(questions, wanted, ask(prompts), strict=True):
        score.add(right, said)
        if said != right:
            wrong.append({"question": question, "wanted": right, "said": said})
    return score.figures(), wrong
