"""How similar a question is to the questions of a template's examples: cosines, by the local embedder and FAISS.

The examples of one template version are embedded once, in slices between which other questions get their turn, and
kept in an exact index: they are a thousand at most. Knows no choice and no tokens.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from prompts.template import Template
from retrieval.embed import Embedder, Vectors

if TYPE_CHECKING:
    import faiss

KEPT = 32  # indexes, of 1.5 MB at most (1,000 examples)
SLICE = 8  # examples that are embedded at once: other tenants' questions wait for no more of them
# Digits of a similarity that count: which texts share a batch changes the ones after these.
DIGITS = 5


class Nearest:
    """Keeps the indexes of `kept` templates, those used last. Use it from one event loop."""

    def __init__(self, embedder: Embedder, kept: int = KEPT) -> None:
        self._embedder, self._kept = embedder, kept
        self._making: OrderedDict[str, asyncio.Task[faiss.IndexFlatIP]] = OrderedDict()

    async def scores(self, template: Template, question: str, asker: str) -> list[float]:
        """Of each example, in their order. Raises EmbedderUnavailable."""
        made = await self._index(template)
        (vector,) = await self._embedder.embed([question], asker)
        return compared(made, vector)

    async def _index(self, template: Template) -> "faiss.IndexFlatIP":
        making = self._making.get(template.digest)
        if making is None or (making.done() and (making.cancelled() or making.exception())):
            making = self._making[template.digest] = asyncio.create_task(self._made(template))
        self._making.move_to_end(template.digest)
        while len(self._making) > self._kept:
            self._making.popitem(last=False)
        return await asyncio.shield(making)  # others may wait for it too

    async def _made(self, template: Template) -> "faiss.IndexFlatIP":
        texts = questions(template)
        slices = [await self._embedder.embed_anew(texts[at : at + SLICE]) for at in range(0, len(texts), SLICE)]
        return index(np.concatenate(slices))


def questions(template: Template) -> list[str]:
    """Of a template's examples, in their order."""
    return [str(shot.example.variables[str(template.front.question)]) for shot in template.shots]


def index(vectors: Vectors) -> "faiss.IndexFlatIP":
    import faiss  # late: it costs start-up time

    made = faiss.IndexFlatIP(vectors.shape[1])
    made.add(vectors)
    return made


def compared(made: "faiss.IndexFlatIP", vector: Vectors) -> list[float]:
    """The cosine of a unit vector to each one of the index, in their order."""
    found, places = made.search(vector[None], made.ntotal)
    return [round(float(score), DIGITS) for _, score in sorted(zip(places[0], found[0], strict=True))]


def compared_now(embedder: Embedder, template: Template, question: str) -> Sequence[float]:
    """The same outside an event loop, keeping nothing: for commands. Raises EmbedderUnavailable."""
    return compared(index(embedder.ask(questions(template))), embedder.ask([question])[0])
