"""The clock of a state file: its anchor is kept per boot, so that every worker and every restart tells the same time.

Knows `gateway.state.clock` and the table `meta`. Invariant: during one boot the clock of a file never goes back, except
when the operator asks for it (`trust`).
"""

import json
import logging
import sqlite3
from functools import partial

from gateway.state.clock import DRIFT_S, Clock
from gateway.state.owners import boot
from gateway.state.sqlite import meta
from gateway.state.sqlite.database import Database

log = logging.getLogger("tollgate.clock")
_NAME = "clock"


async def clock_of(database: Database, trust: bool = False) -> Clock:
    """The file's clock; a first opening, another boot or `trust` take the wall clock as it is.

    Logs a warning when the wall clock was set since: the limits' windows stay where they were. Raises StateUnavailable.
    """
    clock = await database.write(partial(_anchored, trust=trust))
    off_s = clock.off_s()
    if abs(off_s) > DRIFT_S:
        log.warning(
            "the clock was set %.0f s %s since this machine started; limits go on by the time before. "
            "`tollgate serve --trust-clock` takes it over",
            abs(off_s),
            "ahead" if off_s > 0 else "back",
        )
    return clock


def _anchored(db: sqlite3.Connection, trust: bool) -> Clock:
    kept = None if trust else _kept(db)
    if kept is not None and not 0 < kept.off_s() <= DRIFT_S:  # a small correction is taken over, forwards only
        return kept
    clock = Clock()
    meta.write(db, _NAME, json.dumps({"boot": boot(), "anchor": clock.anchor}))
    return clock


def _kept(db: sqlite3.Connection) -> Clock | None:
    """The clock of an earlier opening since this boot. Where no boot has a name none is the same."""
    found = json.loads(meta.read(db, _NAME) or "{}")
    return Clock(found["anchor"]) if found and found["boot"] == boot() != "" else None
