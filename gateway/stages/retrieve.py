"""Retrieve: passages for the question, packed into the room that preflight left, counted exactly. Knows no budget.

The question is searched by itself and with the user's turns before it; where the collection has a reranker its scores
order the candidates, if they come in time. What is not relevant enough is left out, and where nothing is, the prompt
goes without passages and the answer says so.

Invariants: the packed prompt is never longer than preflight planned; only passages that the caller's key may see are
searched; the best passages stand at the ends, and the same set of passages is the same bytes for one tenant, so that
the engine's prefix cache serves them again; no passage brings a control token or can end its fence.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from gateway.errors import InvalidValue, Unavailable, Unready
from gateway.exchange import Call, Packed, Plan, Prompt, Search
from gateway.models import Model, control
from gateway.rerank import Reranker, RerankerUnavailable
from gateway.stages.build import NONE, compose
from gateway.stages.guard import Guard
from gateway.stages.preflight import request
from gateway.stages.route import cache_salt
from gateway.stages.truncate import Truncate
from gateway.tracing import traced
from retrieval.pack import Listing, Orders, distinct, listed, pack
from retrieval.passage import Found
from retrieval.protocols import IndexUnavailable
from retrieval.query import Query
from retrieval.search import candidates, chosen, expanded, reranked, views
from retrieval.weights import EmbedderUnavailable

T = TypeVar("T")

FENCE = 40  # tokens that the two marks around passages take, rather too many


class Retrieve:
    """Searches collections and packs what they hold. `secret` keys the fences and the reranker's cache salts."""

    def __init__(self, models: Mapping[str, Model], secret: bytes, guard: Guard, truncate: Truncate) -> None:
        self._models, self._secret, self._guard, self._truncate = models, secret, guard, truncate
        self._orders = Orders()
        # By collection: one whose engine hangs takes no thread from the others, nor from the rest of the gateway.
        self._threads: defaultdict[str, ThreadPoolExecutor] = defaultdict(ThreadPoolExecutor)

    @traced("retrieve")
    async def __call__(self, call: Call, prompt: Prompt, plan: Plan) -> Packed:
        """Raises InvalidValue when there is no question to search with, Unavailable when it cannot be embedded, and
        Unready when the collection's engine does not answer."""
        search = prompt.retrieve
        if search is None:
            return Packed(prompt, plan.input)
        try:
            packed = await self._searched(call, prompt, plan, search)
        except IndexUnavailable as error:
            name = search.snapshot.name
            message = f"The collection {name!r} cannot be searched just now: {error}; try again."
            raise Unready(message, code="index_unavailable") from error
        passages = self._listed(prompt, packed.found)
        return await self._truncate.grown(call, packed, passages, plan.input.tokens + plan.room)

    async def fewer(self, call: Call, packed: Packed) -> Packed:
        """The prompt of this call again, with the better half of its passages: one that left no room for an answer."""
        prompt, kept = packed.prompt, _better(packed.found)
        if prompt.retrieve and kept:
            again = await self._packed(call, prompt, prompt.retrieve, kept)
            return replace(again, considered=packed.considered, relevant=packed.relevant, rerank=packed.rerank)
        bare = replace(prompt, messages=compose(prompt.template, prompt.kept, control(self._models, prompt.model)))
        return replace(
            packed, prompt=bare, input=await self._models[prompt.model].tokens.count(request(bare)), found=()
        )

    async def _searched(self, call: Call, prompt: Prompt, plan: Plan, search: Search) -> Packed:
        if prompt.question is None:
            raise InvalidValue(
                "Retrieval needs a question: a last user message of plain text, or a template that names one.",
                param="gateway.retrieve",
            )
        texts = views(prompt.question, _turns(call, prompt))
        found = await self._candidates(call, texts, search)
        found, rated = await self._rated(call, texts[-1], search, found)
        packed = await self._fit(call, prompt, plan, search, found)
        return replace(packed, considered=len(found), rerank=rated)

    async def _candidates(self, call: Call, texts: tuple[str, ...], search: Search) -> list[Found]:
        if not all(search.scope.where.values()):  # nothing has one of no values
            return []
        try:
            vectors = await search.snapshot.encoder.embed(texts, call.caller.tenant)
        except EmbedderUnavailable as error:
            raise Unavailable(f"The question cannot be searched with: {error}") from error
        query = Query(texts, vectors, search.scope)
        return await self._beside(search, lambda: candidates(search.snapshot.index, query))

    async def _rated(self, call: Call, text: str, search: Search, found: list[Found]) -> tuple[list[Found], str | None]:
        """In the reranker's order, or as they were where there is none or it does not answer; and what became of it."""
        section = search.snapshot.section
        if section.rerank is None or not found:
            return found, None
        reranker = Reranker(self._models, section.rerank, section.rerank_s)
        try:
            passages = [one.passage.embedded for one in found]
            scores = await reranker.scores(text, passages, cache_salt(self._secret, call.caller.tenant))
        except RerankerUnavailable as error:
            return found, str(error)
        return reranked(found, scores), "done"

    async def _fit(self, call: Call, prompt: Prompt, plan: Plan, search: Search, found: Sequence[Found]) -> Packed:
        """Chosen by their lengths, counted in place: as grown as there is room for, else one less after another."""

        def fits(these: Sequence[Found]) -> bool:
            return self._length(prompt.model, these) <= plan.room

        relevant, whole, grown = await self._beside(search, lambda: _chosen(search, found, fits))
        for these in [grown, *(whole[:count] for count in range(len(whole), 0, -1))] if whole else []:
            allowed = await self._guard.found(call, these)
            if not allowed:  # nor is any of fewer
                break
            packed = await self._packed(call, prompt, search, allowed)
            if packed.input.tokens <= plan.input.tokens + plan.room:
                return replace(packed, relevant=relevant)
        return Packed(prompt, plan.input, relevant=relevant)

    async def _packed(self, call: Call, prompt: Prompt, search: Search, found: tuple[Found, ...]) -> Packed:
        ordered = self._orders.of((call.caller.tenant, search.snapshot.version), found)
        passages = self._listed(prompt, ordered)
        messages = compose(prompt.template, prompt.kept, control(self._models, prompt.model), passages)
        filled = replace(prompt, messages=messages)
        return Packed(filled, await self._models[prompt.model].tokens.count(request(filled)), found=ordered)

    def _listed(self, prompt: Prompt, found: tuple[Found, ...]) -> Listing:
        return listed(found, control(self._models, prompt.model).neutral, self._secret) if found else NONE

    async def _beside(self, search: Search, work: Callable[[], T]) -> T:
        """Done in a thread for searches of this collection."""
        return await asyncio.get_running_loop().run_in_executor(self._threads[search.snapshot.name], work)

    def _length(self, model: str, found: Sequence[Found]) -> int:
        """About what passages add to a prompt, in tokens."""
        listing = "".join(f"[{n}] {one.passage.embedded}\n\n" for n, one in enumerate(found, start=1))
        return self._models[model].tokens.text(listing) + FENCE


def _chosen(
    search: Search, found: Sequence[Found], fits: Callable[[Sequence[Found]], bool]
) -> tuple[int, tuple[Found, ...], tuple[Found, ...]]:
    """How many of the candidates are relevant; those that fit, best first; the same, grown while they fit."""
    index = search.snapshot.index
    relevant = chosen(index, found, search.top_k, search.floor)
    whole = pack(relevant, fits)
    return len(relevant), whole, distinct(expanded(index, whole, fits))


def _better(found: Sequence[Found]) -> tuple[Found, ...]:
    """The better half of some passages, the best first."""
    return tuple(sorted(found, key=lambda one: -one.score)[: len(found) // 2])


def _turns(call: Call, prompt: Prompt) -> list[str]:
    """What the user said before the question, oldest first; a template's question stands by itself."""
    if prompt.template is not None:
        return []
    said = [message.get("content") for message in call.messages[:-1] if message.get("role") == "user"]
    return [text for text in said if isinstance(text, str)]
