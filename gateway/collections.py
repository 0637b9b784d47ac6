"""The collections that a running gateway serves: one version of each, and another in its place once that is there.

Every process looks at a collection's folder twice a second. A version that is new there is loaded and checked in a
thread, beside the requests, and then takes the place of the old one at once. A request keeps the `Snapshot` that it
began with; the old version's files close when the last of these has ended.

Knows no request. Invariants: what was refused is never served, and what is served goes on being served until something
better is there: a damaged new version is a warning, and only a collection without any version is a fault.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from gateway.exchange import Snapshot
from gateway.settings import Retrieve as Section
from gateway.state.background import every, stopped
from retrieval.collection import Collection, CollectionError, load_last_good
from retrieval.collection.layout import current
from retrieval.protocols import Encoder

log = logging.getLogger("tollgate.collections")

LOOK_S = 0.5  # a new version is noticed within a second, and served as soon as it is loaded
AGAIN_S = 60.0  # until a version that was refused is read again: its files may have been put right, or come late
FIRST_S = 3.0  # a start waits for its collections no longer: a large one must not keep health silent


class Collections(Mapping[str, Snapshot]):
    """Those that can be served, by their names in the settings, each with its encoder.

    `on_load` is told the name and `loaded` or `refused`; after `again` seconds what was refused is read again.
    """

    def __init__(
        self,
        sections: Mapping[str, Section],
        encoder: Callable[[str], Encoder],
        on_load: Callable[[str, str], None] = lambda *_: None,
        again: float = AGAIN_S,
    ) -> None:
        self._sections, self._encoder, self._on_load, self._again = sections, encoder, on_load, again
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

    async def _follow(self, name: str, first: "asyncio.Task[None]") -> None:
        await first
        await every(LOOK_S, lambda: self._look(name))

    async def _look(self, name: str) -> None:
        path, served = self._sections[name].path, self._served.get(name)
        version = await asyncio.to_thread(_named, path)
        if served and version == served.version:
            self._problems.pop(name, None)
        elif self._due(name, version):
            await self._load(name, version, path, served)

    def _due(self, name: str, version: str | None) -> bool:
        refused, again = self._refused.get(name, (None, 0.0))
        return version != refused or time.monotonic() >= again

    async def _load(self, name: str, version: str | None, path: Path, served: Snapshot | None) -> None:
        """The version that is named; where nothing is served yet, rather an older one than none."""
        identity = self._encoder(name).identity
        try:
            if served is None:
                good = await asyncio.to_thread(load_last_good, path, identity)
                collection, damaged = good.collection, list(map(str, good.passed_over))
            else:
                collection, damaged = await asyncio.to_thread(Collection.load, path, identity), []
        except CollectionError as error:
            self._refuse(name, version, str(error))
            return
        self._serve(name, collection)
        if damaged:
            self._refuse(name, version, damaged[0])

    def _serve(self, name: str, collection: Collection) -> None:
        before = self._served.get(name)
        self._served[name] = Snapshot(name, collection, self._sections[name], self._encoder(name))
        self._problems.pop(name, None)
        self._on_load(name, "loaded")
        instead = f" in the place of {before.version}" if before else ""
        log.info("collection %s: version %s, %d passages%s", name, collection.version, len(collection), instead)

    def _refuse(self, name: str, version: str | None, problem: str) -> None:
        self._refused[name] = version, time.monotonic() + self._again
        if problem != self._problems.get(name):
            self._problems[name] = problem
            self._on_load(name, "refused")
            served = self._served.get(name)
            log.warning("%s; %s", problem, f"version {served.version} goes on" if served else "it is not served")


def _named(path: Path) -> str | None:
    """The version that the folder names, None where it names none."""
    try:
        return current(path)
    except (OSError, ValueError):
        return None
