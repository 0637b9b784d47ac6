"""State in one SQLite file: durable on one machine, shared by the processes on it."""

from pathlib import Path

from gateway.state import State, StateUnavailable
from gateway.state.eviction import ENTRIES
from gateway.state.locks import Locks
from gateway.state.sqlite.answers import SqliteAnswers
from gateway.state.sqlite.budgets import SqliteBudgets
from gateway.state.sqlite.claims import SqliteClaims
from gateway.state.sqlite.clock import clock_of
from gateway.state.sqlite.database import MEMORY, Database
from gateway.state.sqlite.feedback import SqliteFeedback
from gateway.state.sqlite.journal import SqliteJournal
from gateway.state.sqlite.keys import SqliteKeys
from gateway.state.sqlite.replays import SqliteReplays


async def open_sqlite(path: str, trust_clock: bool = False, max_entries: int = ENTRIES) -> State:
    """State in the file `path` (made if absent, its folder too) or in `:memory:`. Raises StateUnavailable.

    `max_entries` bounds the cached answers.

    `trust_clock` takes the wall clock as it is, though somebody set it since the machine started (see `clock.py`).
    """
    database = await Database.open(path)
    try:
        clock = await clock_of(database, trust_clock)
        claims = SqliteClaims.open(path)
        locks = locks_of(path)
    except BaseException:
        await database.close()
        raise

    async def close() -> None:
        await database.close()
        await claims.close()
        locks.close()

    return State(
        SqliteKeys(database, clock),
        SqliteBudgets(database, clock),
        SqliteAnswers(database, clock, max_entries),
        SqliteJournal(database),
        SqliteReplays(database),
        SqliteFeedback(database),
        claims,
        clock,
        locks.alive,
        close,
    )


def locks_of(path: str) -> Locks:
    """The locks of the processes that share the file, in a folder beside it; of `:memory:` there are none.

    Raises StateUnavailable.
    """
    folder = None if path == MEMORY else Path(f"{path}.owners")
    try:
        return Locks(folder)
    except OSError as error:
        raise StateUnavailable(f"{folder} cannot keep the locks of its processes: {error.strerror}") from error
