"""Makes editions: the half of the wiring that is done anew by a reload.

    settings, library -> models, collections, guards -> stages -> pipelines -> edition

What an edition has in common with the one before it is shared: backends keep their connections, collections their
files and guards their patterns as long as their settings stay. `Lasting` is what no reload touches.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

from gateway import templates
from gateway.answering.changes import Changes
from gateway.answering.judging import Judge
from gateway.caches import Memory, cache
from gateway.caching.allowance import Allowance
from gateway.caching.judgements import Judgements
from gateway.caching.opinion import Opinion
from gateway.collections import Collections
from gateway.connect import Models
from gateway.embedders import Own
from gateway.embedding import Embedding
from gateway.encoders import Encoders
from gateway.guards.making import made as guards
from gateway.ledger import Ledger
from gateway.linting.templates import log_warnings
from gateway.live.canaries import Canaries
from gateway.live.edition import Edition
from gateway.live.shadows import Shadows, Unbilled
from gateway.live.shared import OWN, Shared
from gateway.live.trials import Trials
from gateway.metrics import Metrics
from gateway.pipeline import Pipeline
from gateway.prices import Prices
from gateway.record import Record
from gateway.schemas import Schemas
from gateway.settings import Settings, SettingsError
from gateway.shots import Selection
from gateway.stages.build import Build
from gateway.stages.check import Check
from gateway.stages.finish import Finish
from gateway.stages.guard import Guard
from gateway.stages.preflight import Preflight
from gateway.stages.retrieve import Retrieve
from gateway.stages.route import Route
from gateway.stages.truncate import Truncate
from gateway.state import State
from gateway.state.owners import owner
from gateway.telemetry import Telemetry
from gateway.tracing import Trace
from prompts.library import Library
from retrieval.embed import Embedder, EmbedderUnavailable
from retrieval.protocols import IndexUnavailable


@dataclass(frozen=True, slots=True)
class Lasting:
    """What all editions stand on. `secret` keys the tenants' cache salts."""

    state: State
    embedder: Embedder
    metrics: Metrics
    telemetry: Telemetry
    trials: Trials
    secret: bytes
    memory: Memory
    examples: Selection


class Editions:
    """Makes one after the other."""

    def __init__(self, lasting: Lasting) -> None:
        self._lasting = lasting

    async def make(self, settings: Settings, library: Library, before: Edition | None = None) -> Edition:
        """Another edition; what it connects to is waited for as by a start. Raises SettingsError: nothing is left open
        then."""
        if faults := templates.canary_faults(library, settings):
            raise SettingsError(faults)
        if before is None or before.library is not library:
            await asyncio.to_thread(log_warnings, library)
        held: list[Shared[Any]] = []
        try:
            return await self._make(settings, library, before, held)
        except BaseException:
            for one in reversed(held):
                await one.released()
            raise

    async def _make(
        self, settings: Settings, library: Library, before: Edition | None, held: list[Shared[Any]]
    ) -> Edition:
        lasting = self._lasting
        held.append(models := _models(settings, before).taken())
        held.append(collections := (await asyncio.to_thread(self._collections, settings, before)).taken())
        held.append(guard := _guard(settings, models, before).taken())
        await asyncio.gather(
            *([] if before and before.shared_models is models else [models.value.connect()]),
            *([] if before and before.shared_collections is collections else [collections.value.open()]),
        )
        prices, allowance = Prices(settings.prices), Allowance(settings.cache.judge_share)
        opinion = self._opinion(settings, models.value, prices, allowance)
        canaries = Canaries(settings.canary, library, lasting.trials)
        schemas = _schemas(settings, before)
        quiet = Pipeline(
            ledger=self._ledger(Unbilled, prices),
            build=Build(library, models.value, collections.value, schemas, settings, lasting.examples, canaries),
            cache=cache(
                settings.cache, lasting.state, lasting.embedder, models.value, opinion, guard.value.digest,
                lasting.memory,
            ),
            **_stages(settings, models.value, guard.value, schemas, lasting.secret),
        )  # fmt: skip
        connections = {name: section.max_connections for name, section in settings.backends.items()}
        shadows = Shadows(settings.canary, quiet, models.value, connections, lasting.state.clock.now)
        ledger = self._ledger(Ledger, prices, (allowance.earn, shadows.earn))
        own: list[Shared[Any]] = [Shared(shadows, shadows.aclose, OWN)]
        if opinion:
            own.append(Shared(opinion, _closing(opinion.close), OWN))
        return Edition(
            settings=settings,
            library=library,
            canaries=canaries,
            ledger=ledger,
            pipeline=replace(quiet, ledger=ledger, after=shadows.after),
            embedding=Embedding(ledger, models.value, Own(lasting.embedder), settings, lasting.secret, guard.value),
            schemas=schemas,
            shared_models=models,
            shared_collections=collections,
            shared_guard=guard,
            own=[one.taken() for one in own],
        )

    def _ledger(self, kind: type[Ledger], prices: Prices, earning: Iterable[Callable[[int], None]] = ()) -> Ledger:
        """`earning` are told the tokens of each request."""
        state, metrics, trials = self._lasting.state, self._lasting.metrics, self._lasting.trials

        def told(record: Record, trace: Trace) -> None:
            metrics.observe(record)
            trials.observe(record)
            for earn in earning:
                earn(record.spent.total_tokens)

        listeners = (self._lasting.telemetry, told)
        return kind(state.budgets, state.journal, prices, owner(), listeners, metrics.open.inc)

    def _opinion(self, settings: Settings, models: Models, prices: Prices, allowance: Allowance) -> Opinion | None:
        judgements = Judgements(self._lasting.state.journal, prices, self._lasting.metrics.judge)
        judge = settings.cache.judge
        return Opinion(models, judge, allowance, judgements) if judge else None

    def _collections(self, settings: Settings, before: Edition | None) -> Shared[Collections]:
        """Reads the files of encoders. Raises SettingsError."""
        key = settings.retrieve, _embedding_models(settings)
        if before and before.shared_collections.key == key:
            return before.shared_collections
        try:
            encoders = Encoders(settings, self._lasting.embedder)
        except EmbedderUnavailable as error:
            raise SettingsError([f"[retrieve]: {error}"]) from error
        try:
            made = Collections(settings.retrieve, encoders.__getitem__, self._lasting.metrics.load)
        except IndexUnavailable as error:
            encoders.close()
            raise SettingsError([f"[retrieve]: {error}"]) from error
        return Shared(made, _closing(encoders.close, made.aclose), key)


def _models(settings: Settings, before: Edition | None) -> Shared[Models]:
    key = settings.models, settings.backends
    if before and before.shared_models.key == key:
        return before.shared_models
    made = Models(settings)
    return Shared(made, made.aclose, key)


def _embedding_models(settings: Settings) -> dict[str, Any]:
    """What the encoders of collections are made of besides the collections' own sections."""
    named = [settings.models[part.embedder] for part in settings.retrieve.values() if part.embedder]
    return {"models": named, "backends": [settings.backends[name] for model in named for name in model.backends]}


def _guard(settings: Settings, models: Shared[Models], before: Edition | None) -> Shared[Guard]:
    key = settings.guard, models
    if before and before.shared_guard.key == key:
        return before.shared_guard
    stack = AsyncExitStack()
    return Shared(Guard(guards(settings.guard, models.value, stack)), stack.aclose, key)


def _schemas(settings: Settings, before: Edition | None) -> Schemas:
    """They keep what they compiled."""
    same = before and before.settings.check.deadline_s == settings.check.deadline_s
    return before.schemas if before and same else Schemas(settings.check.deadline_s)


def _closing(close: Callable[[], None], first: Callable[[], Any] | None = None) -> Callable[[], Any]:
    async def closed() -> None:
        if first:
            await first()
        close()

    return closed


def _stages(settings: Settings, models: Models, guard: Guard, schemas: Schemas, secret: bytes) -> dict[str, Any]:
    """Those that are made of the settings and the models alone."""
    preflight = Preflight(models, settings.check.rounds)
    truncate = Truncate(models, preflight.count)
    route, retrieve = Route(models, settings.route.attempts, secret), Retrieve(models, secret, guard, truncate)
    return {
        "guard": guard,
        "truncate": truncate,
        "preflight": preflight,
        "retrieve": retrieve,
        "finish": Finish(route, guard, Judge(schemas), Changes(models, preflight.count, retrieve), models),
        "check": Check(),
    }
