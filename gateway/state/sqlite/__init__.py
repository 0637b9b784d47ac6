"""State in one SQLite file: durable on one machine, shared by the processes on it."""

from gateway.state import State
from gateway.state.sqlite.answers import SqliteAnswers
from gateway.state.sqlite.budgets import SqliteBudgets
from gateway.state.sqlite.clock import clock_of
from gateway.state.sqlite.database import Database
from gateway.state.sqlite.journal import SqliteJournal
from gateway.state.sqlite.keys import SqliteKeys
from gateway.state.sqlite.replays import SqliteReplays


async def open_sqlite(path: str, trust_clock: bool = False) -> State:
    """State in the file `path` (made if absent, its folder too) or in `:memory:`. Raises StateUnavailable.

    `trust_clock` takes the wall clock as it is, though somebody set it since the machine started (see `clock.py`).
    """
    database = await Database.open(path)
    try:
        clock = await clock_of(database, trust_clock)
    except BaseException:
        await database.close()
        raise
    return State(
        SqliteKeys(database, clock),
        SqliteBudgets(database, clock),
        SqliteAnswers(database),
        SqliteJournal(database),
        SqliteReplays(database),
        clock,
        database.close,
    )
