"""State in one SQLite file: durable on one machine, shared by the processes on it."""

from gateway.state import State
from gateway.state.sqlite.answers import SqliteAnswers
from gateway.state.sqlite.budgets import SqliteBudgets
from gateway.state.sqlite.database import Database
from gateway.state.sqlite.journal import SqliteJournal
from gateway.state.sqlite.keys import SqliteKeys


async def open_sqlite(path: str) -> State:
    """State in the file `path` (made if absent, its folder too) or in `:memory:`. Raises StateUnavailable."""
    database = await Database.open(path)
    return State(
        SqliteKeys(database),
        SqliteBudgets(database),
        SqliteAnswers(database),
        SqliteJournal(database),
        database.close,
    )
