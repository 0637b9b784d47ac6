"""Models as they really are: each alias is resolved against its running backends. Knows no request.

An alias is there once one of its backends has said what it serves; until then it is missing from the mapping and named
in `faults()`, and it is tried again in the background, so that gateway and engines may start in any order.
"""

import asyncio
import itertools
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.linting.cuts import Cuts
from gateway.models import Model
from gateway.settings import Model as Section
from gateway.settings import Settings, secret
from serving.backend import Backend, Timeouts
from serving.errors import BackendError
from serving.pool import Pool
from serving.tokens import choose
from serving.vocabulary import entries

log = logging.getLogger("tollgate.models")

EXACT_ROUNDS = 30  # tries between two looks for exact counts, where a server did not answer /tokenize
FIRST_S = 3.0  # a start waits for its models no longer: a backend that hangs must not keep health silent
AGAIN_S = 1.0  # between two tries: a local engine takes about a minute to start, a lost one comes back any time


class Models(Mapping[str, Model]):
    """The aliases that are connected. `faults()` has a line for each that is not."""

    def __init__(self, settings: Settings) -> None:
        self._sections = settings.models
        self.backends = {name: _backend(name, settings) for name in settings.backends}
        self._connected: dict[str, Model] = {}
        self._problems = dict.fromkeys(settings.models, "not tried yet")
        self._guessing: set[str] = set()  # connected, but their tokens are estimates
        self._tasks: list[asyncio.Task[None]] = []

    async def connect(self) -> None:
        """Start trying every alias, side by side; returns when each was tried once, or after FIRST_S."""
        first = {alias: asyncio.create_task(self._try(alias)) for alias in self._sections}
        self._tasks = [asyncio.create_task(self._keep_trying(alias, task)) for alias, task in first.items()]
        if first:
            await asyncio.wait(first.values(), timeout=FIRST_S)

    async def aclose(self) -> None:
        """Stop trying and close every backend."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(backend.aclose() for backend in self.backends.values()))

    def faults(self) -> list[str]:
        """One line per configured alias that cannot answer yet."""
        return [f"model {alias!r}: {problem}" for alias, problem in self._problems.items()]

    def __getitem__(self, alias: str) -> Model:
        return self._connected[alias]

    def __iter__(self) -> Iterator[str]:
        return iter(self._connected)

    def __len__(self) -> int:
        return len(self._connected)

    async def _keep_trying(self, alias: str, first: "asyncio.Task[None]") -> None:
        await first
        for rounds in itertools.count(1):
            await asyncio.sleep(AGAIN_S)
            if alias in self._problems or (alias in self._guessing and rounds % EXACT_ROUNDS == 0):
                await self._try(alias)

    async def _try(self, alias: str) -> None:
        result = await self._resolve(alias)
        if isinstance(result, Model):
            self._connected[alias] = result
            self._problems.pop(alias, None)
        elif alias in self._problems and result != self._problems[alias]:
            self._problems[alias] = result
            log.warning("model %s: %s", alias, result)

    async def _resolve(self, alias: str) -> Model | str:
        """The model, or what is in the way."""
        section = self._sections[alias]
        pool = Pool([self.backends[name] for name in section.backends])
        problem = ""
        for backend in pool.backends:
            try:
                return await self._through(alias, section, pool, backend)
            except BackendError as error:
                problem = f"backend {backend.name!r}: {error.message}"
        return problem

    async def _through(self, alias: str, section: Section, pool: Pool, backend: Backend) -> Model | str:
        served = {model.id: model for model in await backend.models()}
        name = section.served or next(iter(served), None)
        if name is None or name not in served:
            return f"backend {backend.name!r} does not serve {name!r}; it serves {sorted(served)}"
        window = section.window or served[name].max_model_len
        if window is None:
            return f"backend {backend.name!r} does not tell its window; set [models.{alias}] window"
        tokens, report = await choose(backend, section.tokenizer, name)
        (self._guessing.add if report.way == "estimate" else self._guessing.discard)(alias)
        log.info("model %s: %s, window %d, tokens %s", alias, name, window, report)
        cuts = await asyncio.to_thread(_cuts, section.tokenizer) if report.way == "local" else None
        return Model(alias, name, pool, tokens, window, section.max_output, tuple(section.fallback), cuts)


def _cuts(model_dir: Path | None) -> Cuts | None:
    """Of a vocabulary that the server agreed on; None where its tokens are not known as bytes."""
    known = entries(model_dir) if model_dir else None
    return Cuts(known) if known else None


def _backend(name: str, settings: Settings) -> Backend:
    section = settings.backends[name]
    timeouts = Timeouts(section.connect_s, section.first_token_s, section.between_tokens_s, section.total_s)
    return Backend(
        name,
        section.url,
        api_key=secret(section.api_key_env),
        timeouts=timeouts,
        max_connections=section.max_connections,
    )
