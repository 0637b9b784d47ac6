"""Where everything is put together: the only file that names the concrete classes.

    settings -> state, embedder, library, collections, models -> stages -> pipeline -> runtime -> HTTP

Start order: the state is opened and a dead process's holds are settled before anything is admitted; the embedder, where
anything is set to use it, loads in its own thread while the server already answers (health says so); models connect in
the background.
"""

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI

from gateway import api, templates
from gateway.answering.changes import Changes
from gateway.answering.judging import Judge
from gateway.api.openapi import FAILURES
from gateway.caching.agreement import Agreement
from gateway.caching.allowance import Allowance
from gateway.caching.corrections import Corrections
from gateway.caching.evidence import Evidence, Learned
from gateway.caching.judgements import Judgements
from gateway.caching.lessons import Lessons
from gateway.caching.making import Making
from gateway.caching.opinion import Opinion
from gateway.caching.samples import Samples
from gateway.caching.similar import Similar
from gateway.caching.slots import Slots
from gateway.caching.verifier import Scores, Verifier
from gateway.collections import Collections
from gateway.connect import Models
from gateway.embedders import Own
from gateway.embedding import Embedding
from gateway.encoders import Encoders
from gateway.guards.making import made as guards
from gateway.ledger import Ledger
from gateway.metrics import Metrics
from gateway.models import Model
from gateway.neighbours import Neighbours
from gateway.pipeline import Pipeline
from gateway.prices import Prices
from gateway.rerank import Reranker
from gateway.runtime import Runtime
from gateway.schemas import Schemas
from gateway.settings import Cache as Section
from gateway.settings import Settings, SettingsError
from gateway.stages.build import Build
from gateway.stages.cache import Cache
from gateway.stages.check import Check
from gateway.stages.finish import Finish
from gateway.stages.guard import Guard
from gateway.stages.preflight import Preflight
from gateway.stages.retrieve import Retrieve
from gateway.stages.route import Route
from gateway.stages.truncate import Truncate
from gateway.state import State
from gateway.state.background import every, stopped
from gateway.state.open import open_state
from gateway.state.owners import owner
from gateway.telemetry import Telemetry
from prompts.library import Library
from retrieval.embed import Embedder, EmbedderUnavailable
from retrieval.protocols import IndexUnavailable

log = logging.getLogger("tollgate")

RECOVER_S = 10.0  # how often a dead neighbour's holds are looked for: settled within 15 s of its death


def create_app(settings: Settings) -> FastAPI:
    """The gateway as an ASGI application. Faults of the settings' files surface when it starts up."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.runtime = await start(settings, stack)
            yield

    app = FastAPI(
        title="Tollgate",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # api.routes() has it, for those with a key
        responses=FAILURES,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # the ledger tells its own, once per request
    )
    for router in api.routes():
        app.include_router(router)
    return api.wrap(app, settings)


async def start(settings: Settings, stack: AsyncExitStack) -> Runtime:
    """Build the runtime; what must close goes on the stack. Raises LibraryError, StateUnavailable or SettingsError."""
    library = templates.library(settings)
    state = await open_state(settings.state.url, settings.state.ledger, max_entries=settings.cache.max_entries)
    stack.push_async_callback(_closed, state)
    await _recover(state)
    recovering = asyncio.create_task(every(RECOVER_S, partial(_recover, state)))
    stack.push_async_callback(stopped, [recovering])

    embedder = Embedder()
    stack.callback(embedder.close)
    loading = asyncio.create_task(embedder.load()) if _embeds(settings, library) else None
    metrics, telemetry, prices = Metrics(), Telemetry(settings.telemetry), Prices(settings.prices)
    encoders = await asyncio.to_thread(_encoders, settings, embedder)
    stack.callback(encoders.close)
    collections = await asyncio.to_thread(_collections, settings, encoders, metrics)
    stack.push_async_callback(collections.aclose)
    models = Models(settings)
    stack.push_async_callback(models.aclose)
    guard = Guard(guards(settings.guard, models, stack))
    await asyncio.gather(collections.open(), models.connect())

    stack.push_async_callback(asyncio.to_thread, telemetry.close)
    allowance = Allowance(settings.cache.judge_share)
    ledger = Ledger(
        state.budgets,
        state.journal,
        prices,
        owner(),
        (
            telemetry,
            lambda record, _: metrics.observe(record),
            lambda record, _: allowance.earn(record.spent.total_tokens),
        ),
        metrics.open.inc,
    )
    stack.push_async_callback(ledger.drained)
    # Without a secret of its own each process salts the engine's prefix cache its own way: safe, and shared by nobody.
    secret = os.environ.get("TOLLGATE_SECRET", "").encode() or secrets.token_bytes(32)
    judgements = Judgements(state.journal, prices, metrics.judge)
    judge = settings.cache.judge
    opinion = Opinion(models, judge, allowance, judgements) if judge else None
    if opinion:
        stack.callback(opinion.close)
    pipeline = _pipeline(settings, ledger, guard, library, state, embedder, models, collections, secret, opinion)
    return Runtime(
        settings=settings,
        state=state,
        models=models,
        library=library,
        collections=collections,
        pipeline=pipeline,
        embedding=Embedding(ledger, models, Own(embedder), settings, secret, guard),
        metrics=metrics,
        admin_key=os.environ.get("TOLLGATE_ADMIN_KEY"),
        faults=_faults(models, collections, loading),
        warnings=collections.warnings,
    )


def _encoders(settings: Settings, own: Embedder) -> Encoders:
    try:
        return Encoders(settings, own)
    except EmbedderUnavailable as error:
        raise SettingsError([f"[retrieve]: {error}"]) from error


def _collections(settings: Settings, encoders: Encoders, metrics: Metrics) -> Collections:
    try:
        return Collections(settings.retrieve, encoders.__getitem__, metrics.load)
    except IndexUnavailable as error:
        raise SettingsError([f"[retrieve]: {error}"]) from error


def _pipeline(
    settings: Settings,
    ledger: Ledger,
    guard: Guard,
    library: Library,
    state: State,
    embedder: Embedder,
    models: Models,
    collections: Collections,
    secret: bytes,
    opinion: Opinion | None,
) -> Pipeline:
    schemas = Schemas(settings.check.deadline_s)
    preflight = Preflight(models, settings.check.rounds)
    truncate = Truncate(models, preflight.count)
    route, retrieve = Route(models, settings.route.attempts, secret), Retrieve(models, secret, guard, truncate)
    return Pipeline(
        ledger=ledger,
        guard=guard,
        build=Build(library, models, collections, schemas, settings),
        truncate=truncate,
        preflight=preflight,
        cache=cache(settings.cache, state, embedder, models, opinion, guard.digest),
        retrieve=retrieve,
        finish=Finish(route, guard, Judge(schemas), Changes(models, preflight.count, retrieve), models),
        check=Check(),
    )


def cache(
    section: Section,
    state: State,
    embedder: Embedder,
    models: Mapping[str, Model],
    opinion: Opinion | None = None,
    guarded: Callable[[str], str] = lambda tenant: "",
) -> Cache:
    """The cache stage on a state; `opinion` is the judge's, `guarded` says what changes with a tenant's guards."""
    evidence, scores = Evidence(state.feedback, section.learn), Learned(state.feedback, Scores.of)
    lessons, most = Lessons(evidence, scores), section.max_error_rate
    verifier = None
    if section.verifier:
        reranker = Reranker(models, section.verifier, section.verifier_s)
        verifier = Verifier(reranker, section.verifier, scores, most)
    neighbours = Neighbours(state.answers, section.max_partitions, section.max_entries)
    return Cache(
        section,
        state.answers,
        Slots(section, models, embedder.identity, guarded),
        Similar(state.answers, neighbours, embedder, evidence, verifier, most),
        neighbours,
        Samples(section, Agreement(embedder), opinion, lessons),
        Making(state.claims, owner(), state.alive, state.clock),
        Corrections(state.answers, neighbours, lessons),
    )


def _embeds(settings: Settings, library: Library) -> bool:
    """Whether texts will be embedded for sure; where not, the first to ask for it waits for the embedder to load, and
    until then the process has a quarter of the memory."""
    fronts = (library.get(id).front for id in library.ids())
    templates = any(front.cache.tier == "semantic" and front.retrieve is None for front in fronts)
    compared = settings.cache.semantic != "off" and (settings.cache.plain == "semantic" or templates)
    return bool(settings.retrieve) or compared


def _faults(models: Models, collections: Collections, loading: "asyncio.Task[None] | None") -> Callable[[], list[str]]:
    def embedder() -> list[str]:
        if loading is None:
            return []
        if not loading.done():
            return ["embedder: still loading"]
        error = loading.exception()
        return [f"embedder: {error}"] if error else []

    return lambda: [*models.faults(), *collections.faults(), *embedder()]


async def _recover(state: State) -> None:
    for request_id in await state.budgets.recover(state.alive):
        log.warning("settled the hold of request %s, whose process died, at its last checkpoint", request_id)


async def _closed(state: State) -> None:
    await state.close()
