"""Clocks for proofs: the time a state file goes by, and a wall clock that can be set under a running gateway."""

import asyncio
import json
import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from gateway.state.clock import Clock, since_boot
from gateway.state.open import open_state

STEPPED = Path(__file__).parent / "stepped"
NOON = 1_798_632_000.0  # of 30 December 2026, UTC: no window ends within a proof that begins here
MAX_OFFSET = 11  # hours: `Etc/GMT-11` to `Etc/GMT+11` are a day of zones


def calm_zone() -> str:
    """A time zone in which it is about noon, so that no day ends within a proof that begins now."""
    behind = time.gmtime().tm_hour - 12
    return f"Etc/GMT{max(-MAX_OFFSET, min(MAX_OFFSET, behind)):+d}"  # POSIX: + is west of Greenwich


def set_state(file: Path, now: float) -> Clock:
    """Make a state file whose clock tells `now` at this moment, as if it had been made then; returns that clock."""
    asyncio.run(_made(file))
    anchor = now - since_boot()
    with closing(sqlite3.connect(file)) as db, db:
        kept = json.loads(db.execute("SELECT value FROM meta WHERE name = 'clock'").fetchone()[0])
        db.execute("UPDATE meta SET value = ? WHERE name = 'clock'", (json.dumps(kept | {"anchor": anchor}),))
    return Clock(anchor)


async def _made(file: Path) -> None:
    await (await open_state(f"sqlite:///{file}")).close()


class Wall:
    """The wall clock of the processes that get `environment`."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "wall"
        self.step(0)

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "PYTHONPATH": f"{STEPPED}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            "STEPPED_WALL": str(self._file),
        }

    def step(self, seconds: float) -> None:
        """Set it that far ahead of the true time (negative: behind), whatever it was before."""
        beside = self._file.with_suffix(".new")
        beside.write_text(str(seconds))
        beside.replace(self._file)  # nobody reads half a number
