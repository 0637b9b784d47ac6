"""Prompts that try to take over, by what they say: a list of the phrases that known attacks are made of. Pure.

This is no classifier. No labelled attacks came with a licence and in a form that this project could train on, and one
that was fitted to phrases of our own would only learn these, so what is built in is honest about being a list: it
finds what copies known attacks in the languages below, and nothing that was put in other words, encoded, drawn, or
spread over several messages (docs/guards-quality.md has figures). For more, name a `model` that classifies
(`detectors.classifier`). Neither makes injection impossible: what a prompt may do must not hang on it.

Each rule has a weight, the share of its matches that are believed to be attacks; several add up as independent signs
do. At the default threshold of 0.5 one strong rule is enough, of the weak ones it takes two.
"""

from collections.abc import Iterable
from math import prod
from typing import Final

from gateway.exchange import Finding
from gateway.guards.detectors.attacks import ATTACKS
from gateway.guards.detectors.folding import Folded
from gateway.guards.detectors.rules import Rule, compiled

KIND: Final = "PROMPT_INJECTION"


class Injection:
    """Finds the phrases of attacks where they add up to `threshold`, 0 to 1."""

    reach = None  # signs add up over a whole text

    def __init__(self, threshold: float = 0.5) -> None:
        self._threshold = threshold
        self._rules = [(weight, Rule(KIND, f"({pattern})")) for weight, pattern in ATTACKS]
        self._any = compiled("|".join(f"(?:{pattern})" for _, pattern in ATTACKS))

    def find(self, text: str) -> list[Finding]:
        """The matches of every rule, overlapping or not, or none."""
        folded = Folded(text, casefold=True)
        data = folded.text.encode()
        if self._any.search(data) is None:
            return []
        signs = [(weight, spans) for weight, rule in self._rules if (spans := list(rule.found(folded.text, data)))]
        if score(weight for weight, _ in signs) < self._threshold:
            return []
        return [Finding(*folded.span(*span), KIND, f"[{KIND}]") for _, spans in signs for span in spans]


def score(weights: Iterable[float]) -> float:
    """How surely it is an attack, 0 to 1: that not every sign is there by chance."""
    return 1 - prod(1 - weight for weight in weights)
