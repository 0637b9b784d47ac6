"""Reload: another edition in the place of the one that runs, all or nothing.

A new edition is made beside the requests; where anything is wrong with it, what was running goes on and the faults are
told. Then it takes the old one's place between two requests. A request keeps the edition that it began with: the old
one's connections close when the last of them has ended, and with it nobody holds its ledger. What both use is shared,
so that a change of a prompt costs some milliseconds.

Invariants: one reload at a time; the state, holds and what the cache remembers are no part of an edition.
"""

import asyncio
import itertools
import logging
import weakref
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Literal

from gateway import templates
from gateway.ledger import Ledger
from gateway.live.changes import Changes, changes, fixed
from gateway.live.edition import Edition
from gateway.live.shared import OWN, Shared
from gateway.live.watching import LOOK_S, Watch
from gateway.settings import Settings, SettingsError
from gateway.state.background import every, stopped
from prompts.errors import LibraryError
from prompts.library import Library

log = logging.getLogger("tollgate.reload")

Outcome = Literal["reloaded", "unchanged", "refused"]
Make = Callable[[Settings, Library, Edition | None], Awaitable[Edition]]


class Refused(Exception):
    """Raised when what is on disk cannot be used; `faults` has a line for each thing that is wrong."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class Reloading:
    """Holds the edition in force, `now`. `read` reads the settings anew, `make` makes an edition and raises
    SettingsError, `count` is told every outcome."""

    def __init__(
        self, now: Edition, read: Callable[[], Settings] | None, make: Make, count: Callable[[Outcome], None]
    ) -> None:
        self.now = now
        self._read, self._make, self._count = read, make, count
        self._lock = asyncio.Lock()
        self._refused: tuple[str, ...] = ()
        self._running: dict[int, tuple[weakref.ref[Ledger], list[Shared[object]]]] = {}
        self._numbers = itertools.count()
        self._ending: set[asyncio.Task[None]] = set()
        self._begun(now)
        self._watch = Watch(now.settings.build)
        self._watching = asyncio.create_task(every(LOOK_S, self._look))

    async def reload(self) -> Changes:
        """Take up the settings' file and the prompts. Raises Refused: then nothing has changed."""
        return await self._reload(self._read)

    def warnings(self) -> list[str]:
        """What is wrong with what is on disk, while what was there before goes on."""
        return [f"reload: {fault}; what was loaded before goes on" for fault in self._refused]

    async def aclose(self) -> None:
        """Watch no more, wait for the requests that run (as `Ledger.drained` does), and close what all of them use."""
        await stopped([self._watching])
        for _, held in self._running.values():
            while held and held[0].key is OWN:  # what works beside the requests is not waited for
                await held.pop(0).released()
        for ledger in [ledger for reference, _ in self._running.values() if (ledger := reference())]:
            await ledger.drained()
        for number in list(self._running):
            await self._end(number)

    async def _look(self) -> None:
        if not self.now.settings.build.watch or not await asyncio.to_thread(self._watch.moved):
            return
        with suppress(Refused):  # it is told
            await self._reload(None)

    async def _reload(self, read: Callable[[], Settings] | None) -> Changes:
        async with self._lock:
            try:
                made = await self._made(read)
            except Refused as error:
                self._tell(error.faults)
                raise
            self._refused, before = (), self.now
            found = changes(before.settings, made.settings, before.library, made.library)
            if made is not before:
                self._replace(made)
                log.info("reloaded: %s", found.told())
            self._count("reloaded" if found else "unchanged")
            return found

    def _tell(self, faults: tuple[str, ...]) -> None:
        self._count("refused")
        if faults != self._refused:
            log.warning("not reloaded, and what was loaded before goes on:\n%s", "\n".join(faults))
        self._refused = faults

    async def _made(self, read: Callable[[], Settings] | None) -> Edition:
        """The edition of what is there now; the one in force where nothing has changed. Raises Refused."""
        before = self.now
        try:
            settings = await asyncio.to_thread(read) if read else before.settings
            if needs := list(fixed(before.settings, settings)):
                raise Refused(needs)
            library = await asyncio.to_thread(_library, before, settings)
            if settings == before.settings and library is before.library:
                return before
            if unknown := templates.unknown(library, settings):
                raise Refused(unknown)
            made = await self._make(settings, library, before)
        except LibraryError as error:
            raise Refused([f"prompts: {fault}" for fault in error.faults]) from error
        except SettingsError as error:
            raise Refused(error.faults) from error
        if lost := list(_lost(before, made)):
            for one in made.held():
                await one.released()
            raise Refused(lost)
        return made

    def _replace(self, made: Edition) -> None:
        if made.settings.build != self.now.settings.build:
            self._watch = Watch(made.settings.build)
        self._begun(made)
        self.now = made

    def _begun(self, edition: Edition) -> None:
        """From now on it is used; it ends when nobody holds its ledger any more."""
        number, loop = next(self._numbers), asyncio.get_running_loop()
        self._running[number] = weakref.ref(edition.ledger), edition.held()
        weakref.finalize(edition.ledger, _told, loop, self._ended, number).atexit = False

    def _ended(self, number: int) -> None:
        task = asyncio.get_running_loop().create_task(self._end(number))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, number: int) -> None:
        _, held = self._running.pop(number, (None, []))
        for one in held:
            await one.released()


def _told(loop: asyncio.AbstractEventLoop, ended: Callable[[int], None], number: int) -> None:
    """From whichever thread the last holder let go in; a loop that is closed has closed everything."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(ended, number)


def _library(before: Edition, settings: Settings) -> Library:
    if settings.build.model_copy(update={"watch": False}) != before.settings.build.model_copy(update={"watch": False}):
        return templates.anew(settings)
    return templates.reloaded(before.library)


def _lost(before: Edition, made: Edition) -> list[str]:
    """What the new edition cannot reach, though the old one could or did not ask for it: a start only waits for it, but
    what works is not given up for what does not."""
    away = {*_away(made)} - {*_away(before)}
    return [fault for fault in made.faults() if any(fault.startswith(f"{what}:") for what in away)]


def _away(edition: Edition) -> list[str]:
    models = [f"model {alias!r}" for alias in edition.settings.models if alias not in edition.models]
    return models + [f"collection {name!r}" for name in edition.settings.retrieve if name not in edition.collections]
