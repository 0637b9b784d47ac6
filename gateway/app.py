"""Where everything is put together; with `gateway/editions.py` the only file that names the concrete classes.

    settings -> state, embedder, library -> edition (models, collections, stages, pipeline) -> runtime -> HTTP

Start order: the state is opened and a dead process's holds are settled before anything is admitted; the embedder, where
anything is set to use it, loads in its own thread while the server already answers (health says so); models connect in
the background. Then what changes is followed: settings and prompts, and versions that other gateways hold back.
"""

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

from fastapi import FastAPI

from gateway import api, templates
from gateway.api.openapi import FAILURES
from gateway.caches import Memory
from gateway.editions import Editions, Lasting
from gateway.live.holds import Holds
from gateway.live.reloading import Reloading
from gateway.live.trials import Trials
from gateway.metrics import Metrics
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.shots import Selection
from gateway.state import State, StateUnavailable
from gateway.state.background import every, stopped
from gateway.state.open import open_state
from gateway.telemetry import Telemetry
from prompts.library import Library
from retrieval.embed import Embedder

log = logging.getLogger("tollgate")

RECOVER_S = 10.0  # how often a dead neighbour's holds are looked for: settled within 15 s of its death
FOLLOW_S = 1.0  # how often it is asked which versions other gateways hold back

Read = Callable[[], Settings]


def create_app(settings: Settings, read: Read | None = None, announce: Callable[[], None] = lambda: None) -> FastAPI:
    """The gateway as an ASGI application. Faults of the settings' files surface when it starts up.

    `read` reads the settings anew for a reload (None: only prompts are reloaded), and `announce` tells other workers
    of one.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.runtime = await start(settings, stack, read, announce)
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


async def start(
    settings: Settings, stack: AsyncExitStack, read: Read | None = None, announce: Callable[[], None] = lambda: None
) -> Runtime:
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
    metrics, telemetry = Metrics(), Telemetry(settings.telemetry)
    stack.push_async_callback(asyncio.to_thread, telemetry.close)
    trials = Trials(Holds(state.journal, state.clock.now))
    # Without a secret of its own each process salts the engine's prefix cache its own way: safe, and shared by nobody.
    secret = os.environ.get("TOLLGATE_SECRET", "").encode() or secrets.token_bytes(32)
    memory, examples = Memory.of(settings.cache, state), Selection(embedder)
    editions = Editions(Lasting(state, embedder, metrics, telemetry, trials, secret, memory, examples))
    reloading = Reloading(await editions.make(settings, library), read, editions.make, metrics.reload)
    stack.push_async_callback(reloading.aclose)
    follow = partial(_follow, reloading, trials, metrics)
    with suppress(StateUnavailable):
        await follow()  # what was held back before a restart answers nobody after it
    following = asyncio.create_task(every(FOLLOW_S, follow))
    stack.push_async_callback(stopped, [following])
    return Runtime(
        state=state,
        reloading=reloading,
        trials=trials,
        metrics=metrics,
        admin_key=os.environ.get("TOLLGATE_ADMIN_KEY"),
        faults=lambda: [*reloading.now.faults(), *_unloaded(loading)],
        warnings=lambda: [*reloading.now.warnings(), *reloading.warnings(), *_held_back(reloading, trials)],
        announce=announce,
    )


async def _follow(reloading: Reloading, trials: Trials, metrics: Metrics) -> None:
    running = reloading.now.canaries.trials()
    if running:
        await trials.follow()
    metrics.held({(trial.prompt, trial.version): trials.held(trial) for trial in running})


def _held_back(reloading: Reloading, trials: Trials) -> list[str]:
    return [
        f"prompt {trial.prompt}: version {trial.version} is held back; GET /admin/canaries says why"
        for trial in reloading.now.canaries.trials()
        if trials.held(trial)
    ]


def _embeds(settings: Settings, library: Library) -> bool:
    """Whether texts will be embedded for sure; where not, the first to ask for it waits for the embedder to load, and
    until then the process has a quarter of the memory."""
    fronts = [library.get(id).front for id in library.ids()]
    chosen = any(front.shots is not None and front.shots.select != "fixed" for front in fronts)
    templates = any(front.cache.tier == "semantic" and front.retrieve is None for front in fronts)
    compared = settings.cache.semantic != "off" and (settings.cache.plain == "semantic" or templates)
    return bool(settings.retrieve) or chosen or compared


def _unloaded(loading: "asyncio.Task[None] | None") -> list[str]:
    """What keeps the embedder from embedding, where it will have to."""
    if loading is None:
        return []
    if not loading.done():
        return ["embedder: still loading"]
    error = loading.exception()
    return [f"embedder: {error}"] if error else []


async def _recover(state: State) -> None:
    for request_id in await state.budgets.recover(state.alive):
        log.warning("settled the hold of request %s, whose process died, at its last checkpoint", request_id)


async def _closed(state: State) -> None:
    await state.close()
