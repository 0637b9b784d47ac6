"""The collections that a running gateway serves: one version of each, and another in its place once that is there.

Every process looks twice a second where a collection's versions come from. One that is new there is loaded and
checked in a thread, beside the requests, and then takes the place of the old one at once. A request keeps the
`Snapshot` that it began with; the old version's files close when the last of these has ended.

Knows no request, and neither folder nor engine. Invariants: what was refused is never served, and what is served goes
on being served until something better is there: a damaged new version is a warning, and only a collection without any
version is a fault. An engine that went away is a warning too: its searches fail, but a fault would take this gateway,
and all that ask the same engine, from requests that search nothing or are answered from the cache.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from gateway.exchange import Snapshot
from gateway.settings import Retrieve as Section
from gateway.state.background import every, stopped
from gateway.versions import Loaded, Versions, versions
from retrieval.collection import CollectionError
from retrieval.protocols import Encoder, Index, IndexUnavailable

log = logging.getLogger("tollgate.collections")

P = ParamSpec("P")
T = TypeVar("T")

LOOK_S = 0.5  # a new version is noticed within a second, and served as soon as it is loaded
AGAIN_S = 60.0  # until a version that was refused is read again: its files may have been put right, or come late
FIRST_S = 3.0  # a start waits for its collections no longer: a large one must not keep health silent


class Collections(Mapping[str, Snapshot]):
    """Those that can be served, by their names in the settings, each with its encoder.

    `on_load` is told the name and `loaded` or `refused`; after `again` seconds what was refused is read again. `origin`
    says where a collection's versions come from; what it raises, the constructor raises.
    """

    def __init__(
        self,
        sections: Mapping[str, Section],
        encoder: Callable[[str], Encoder],
        on_load: Callable[[str, str], None] = lambda *_: None,
        again: float = AGAIN_S,
        origin: Callable[[str, Section], Versions] = versions,
    ) -> None:
        self._sections, self._encoder, self._on_load, self._again = sections, encoder, on_load, again
        self._versions = {name: origin(name, section) for name, section in sections.items()}
        # A thread for each: engines that hang are waited for by nobody else.
        self._threads = ThreadPoolExecutor(max(len(sections), 1), "collections")
        self._served: dict[str, Snapshot] = {}
        self._problems = dict.fromkeys(sections, "is still loading")
        self._refused: dict[str, tuple[str | None, float]] = {}  # the version, and when to read it again
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Begin to look; returns when each was looked at once, or after FIRST_S."""
        first = {name: asyncio.create_task(self._look(name)) for name in self._sections}
        self._tasks = [asyncio.create_task(self._follow(name, look)) for name, look in first.items()]
        if first:
            await asyncio.wait(first.values(), timeout=FIRST_S)

    async def aclose(self) -> None:
        """Look no more."""
        await stopped(self._tasks)
        for source in self._versions.values():
            source.close()
        self._threads.shutdown(wait=False)

    def faults(self) -> list[str]:
        """A line for each collection that cannot be served."""
        return [problem for name, problem in self._told() if name not in self._served]

    def warnings(self) -> list[str]:
        """A line for each collection whose newest version was refused, while an older one is served."""
        return [problem for name, problem in self._told() if name in self._served]

    def __getitem__(self, name: str) -> Snapshot:
        return self._served[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._served)

    def __len__(self) -> int:
        return len(self._served)

    def _told(self) -> list[tuple[str, str]]:
        return [(name, f"collection {name!r}: {problem}") for name, problem in self._problems.items()]

    async def _beside(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Done in a thread of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **kwargs))

    async def _follow(self, name: str, first: "asyncio.Task[None]") -> None:
        await first
        await every(LOOK_S, lambda: self._look(name))

    async def _look(self, name: str) -> None:
        try:
            await self._looked(name, self._versions[name])
        except IndexUnavailable as error:
            self._tell(name, str(error))

    async def _looked(self, name: str, versions: Versions) -> None:
        version, served = await self._beside(versions.named), self._served.get(name)
        if served and version == served.version:
            self._problems.pop(name, None)
        elif self._due(name, version):
            await self._load(name, version, versions.newest if served else versions.good)

    def _due(self, name: str, version: str | None) -> bool:
        refused, again = self._refused.get(name, (None, 0.0))
        return version != refused or time.monotonic() >= again

    async def _load(self, name: str, version: str | None, load: Callable[[str], Loaded]) -> None:
        """The version that is named; where nothing is served yet, rather an older one than none."""
        try:
            loaded = await self._beside(load, self._encoder(name).identity)
        except CollectionError as error:
            self._refuse(name, version, str(error))
            return
        self._serve(name, loaded.index)
        if loaded.passed_over:
            self._refuse(name, version, loaded.passed_over)

    def _serve(self, name: str, index: Index) -> None:
        before = self._served.get(name)
        self._served[name] = Snapshot(name, index, self._sections[name], self._encoder(name))
        self._problems.pop(name, None)
        self._on_load(name, "loaded")
        instead = f" in the place of {before.version}" if before else ""
        log.info("collection %s: version %s, %d passages%s", name, index.version, len(index), instead)

    def _refuse(self, name: str, version: str | None, problem: str) -> None:
        self._refused[name] = version, time.monotonic() + self._again
        if self._tell(name, problem):
            self._on_load(name, "refused")

    def _tell(self, name: str, problem: str) -> bool:
        """Whether it is news."""
        if problem == self._problems.get(name):
            return False
        self._problems[name] = problem
        served = self._served.get(name)
        goes_on = f"version {served.version} goes on" if served else "it is not served"
        log.warning("collection %s: %s; %s", name, problem, goes_on)
        return True
