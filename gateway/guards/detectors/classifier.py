"""Asks a model that classifies texts whether one is an attack (Llama Prompt Guard 2, DeBERTa's of ProtectAI ...).

Speaks vLLM's /classify (vllm/entrypoints/pooling/classify/protocol.py, 0.32: `{"model", "input": [...]}` answers
`{"data": [{"index", "label", "probs"}]}`, where `label` is the name of the most probable class). A text beyond the
model's window is read in pieces that overlap, for an attack in its middle is one too. Knows no phrase.

Invariant: whatever goes wrong is GuardFailed, told within the deadline, and holds nothing of the text.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from math import isfinite
from typing import Any

from gateway.exchange import Finding
from gateway.guards.detectors.injection import KIND
from gateway.guards.protocols import GuardFailed
from gateway.models import Model
from gateway.scoring import Unscored, scored
from serving.backend import Backend
from serving.errors import BackendBroken

CLASSIFY = "/classify"
# What models call the class of texts that are none: Prompt Guard 1 BENIGN; ProtectAI SAFE; deepset LEGIT; Prompt
# Guard 2 has no names, so transformers calls its first class LABEL_0.
HARMLESS = frozenset({"benign", "safe", "legit", "label_0", "negative", "no_injection", "normal"})
CHARACTERS_PER_TOKEN = 2  # in 1 of 4 pieces more would fit; what does not is cut by the engine and read in the next one
OVERLAP = 4  # a piece begins when a quarter of the last one is still to come


class Classifier:
    """Finds the pieces of a text that `alias` believes to be attacks with a probability of `threshold` or more."""

    reach = None

    def __init__(self, models: Mapping[str, Model], alias: str, threshold: float, seconds: float) -> None:
        self._models, self._alias, self._threshold, self._seconds = models, alias, threshold, seconds

    async def find(self, text: str) -> list[Finding]:
        """Raises GuardFailed."""
        if not text.strip():
            return []
        model = self._models.get(self._alias)
        if model is None:
            raise GuardFailed(f"the model {self._alias!r} is not connected")
        spans = _pieces(len(text), model.window * CHARACTERS_PER_TOKEN)
        body = {"input": [text[start:end] for start, end in spans], "truncate_prompt_tokens": -1}
        read = partial(_read, pieces=len(spans))
        try:
            scores = await scored(self._models, self._alias, CLASSIFY, body, self._seconds, read)
        except Unscored as error:
            raise GuardFailed(str(error)) from error
        found = [span for span, score in zip(spans, scores, strict=True) if score >= self._threshold]
        return [Finding(start, end, KIND, f"[{KIND}]") for start, end in found]


def _pieces(length: int, size: int) -> list[tuple[int, int]]:
    """Spans of `size` that cover `length` characters, each begun before the last has ended."""
    starts = range(0, max(1, length - size // OVERLAP), max(1, size - size // OVERLAP))
    return [(start, min(start + size, length)) for start in starts]


def _read(backend: Backend, answer: Any, pieces: int) -> list[float]:
    """How probably each piece is an attack."""
    try:
        scores = {int(one["index"]): _attack(one["label"], one["probs"]) for one in answer["data"]}
        if scores.keys() != set(range(pieces)) or not all(map(isfinite, scores.values())):
            raise ValueError("not one answer for each piece")
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise BackendBroken(backend.name, f"the answer to {CLASSIFY} has an unexpected shape") from error
    return [scores[index] for index in range(pieces)]


def _attack(label: str | None, probabilities: Sequence[float]) -> float:
    """One class is harmless, all others are attacks; a model without names has the harmless one first."""
    most = float(max(probabilities))
    harmless = label.lower() in HARMLESS if label is not None else probabilities.index(max(probabilities)) == 0
    return 1 - most if harmless else most
