"""The examples of one request: as its template wants them, else, where nothing can be compared, the first ones.

Knows no tokens. Invariant: a request is never refused for its examples; what was done instead is told.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from gateway.shots.choosing import Places, balanced, fixed, similar
from gateway.shots.nearest import Nearest, compared_now
from prompts.template import Shot, Template
from retrieval.embed import Embedder, EmbedderUnavailable
from serving.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Chosen:
    """Places in the file of examples, from 0, the best first; `scores` are their similarities, where these chose.

    `instead` says why they are the first ones although others were wanted.
    """

    select: str
    examples: Places
    scores: tuple[float, ...] = ()
    instead: str | None = None

    def facts(self) -> dict[str, Any]:
        told: dict[str, Any] = {"select": self.select, "examples": list(self.examples)}
        return told | ({"scores": list(self.scores)} if self.scores else {}) | self._instead()

    def _instead(self) -> dict[str, Any]:
        return {"instead": f"fixed: {self.instead}"} if self.instead else {}


class Selection:
    """Chooses examples."""

    def __init__(self, embedder: Embedder) -> None:
        self._nearest = Nearest(embedder)

    async def __call__(self, template: Template, question: str | None, asker: str) -> Chosen:
        """For the `question` of the template; what is remembered of it is remembered for the `asker` alone."""
        if not _compares(template):
            return Chosen("fixed", fixed(template))
        if question is None:
            return _first(template, "the prompt has no question")
        try:
            return _chosen(template, await self._nearest.scores(template, question, asker))
        except EmbedderUnavailable as error:
            return _first(template, f"the embedder does not answer ({error})")


def shown(template: Template, variables: Mapping[str, Any]) -> list[Shot]:
    """The examples that a request with these variables is given, as its prompt has them; for commands, outside an event
    loop or in one that waits for nothing else. Raises EmbedderUnavailable."""
    question, places = variables.get(template.front.question or ""), fixed(template)
    if _compares(template) and isinstance(question, str) and question.strip():
        places = _chosen(template, compared_now(_embedder(), template, question)).examples
    return [template.shots[place] for place in sorted(places)]


@cache
def _embedder() -> Embedder:
    """One for all that a command renders."""
    return Embedder()


def _compares(template: Template) -> bool:
    return template.front.shots is not None and template.front.shots.select != "fixed"


def _first(template: Template, why: str) -> Chosen:
    return Chosen(template.front.shots.select if template.front.shots else "fixed", fixed(template), instead=why)


def _chosen(template: Template, scores: Sequence[float]) -> Chosen:
    asked = template.front.shots
    assert asked is not None  # only such templates compare
    if asked.select == "balanced":
        examples = balanced(scores, [shot.label for shot in template.shots], asked.count)
    else:
        examples = similar(scores, asked.count)
    return Chosen(asked.select, examples, tuple(scores[place] for place in examples))
