"""One SQLite file: one thread that writes, a few that read. Knows threads and transactions, no table.

Everything that waits to be written goes into one transaction, so that one fsync serves many requests (group commit):
what is written in one turn of the loop, and what comes while the writer is at work.
Each piece of work can be undone by itself: its failure is nobody else's. A result is handed out only after the commit,
so whatever was acknowledged is on the disk. A caller that is cancelled does not stop its work.
Readers have their own connections and, the file being in WAL mode, never wait for the writer. A row that is found by
its key is read on the loop's own thread: to go to another one and back takes many times as long.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, Self, TypeVar

from gateway.state import StateUnavailable
from gateway.state.sqlite import schema
from gateway.state.sqlite.schema import connect, prepare

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

MEMORY = ":memory:"
LOOK_S = (
    0.002  # between two looks at another process's lock: shorter ones make all of them slower, longer ones some wait
)
READERS = 2  # so that one long report does not keep every key lookup waiting
# What nobody waits for may wait so long for a transaction to join: longer than the fsync that it saves (0.1 to 2 ms).
PATIENT_S = 0.005


class _Job(NamedTuple):
    work: Work[Any]
    done: "asyncio.Future[Any]"

    def tell(self, outcome: Any) -> None:
        if self.done.done():  # its caller was cancelled; the work stands
            return
        if isinstance(outcome, _Failed):
            self.done.set_exception(outcome.error)
        else:
            self.done.set_result(outcome)


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


class Database:
    """Runs plain functions of a connection. Bound to the event loop it was opened in."""

    def __init__(self, path: str, writer: sqlite3.Connection) -> None:
        self._path = path
        self._db = writer
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Job] = []
        self._writing = False  # the writer has a batch
        self._batches: SimpleQueue[list[_Job] | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._readers = ThreadPoolExecutor(READERS, "sqlite-reader")
        self._reading = threading.local()
        self._near: sqlite3.Connection | None = None  # the loop's own
        self._thread.start()

    @classmethod
    async def open(cls, path: str) -> Self:
        """Open or create the file (and its folder). Raises StateUnavailable that says what is wrong with it."""
        return cls(path, await asyncio.to_thread(_opened, path))

    async def write(self, work: Work[T], patient: bool = False) -> T:
        """What `work` returns or raises, once it is durable. Raises StateUnavailable when it cannot be.

        `patient` work that finds the writer idle waits up to PATIENT_S for other work, to share its commit.
        """
        if self._closed:
            raise StateUnavailable("the state file is closed")
        job = _Job(work, self._loop.create_future())
        self._waiting.append(job)
        if patient:
            self._loop.call_later(PATIENT_S, self._hand_over)
        else:
            self._loop.call_soon(self._hand_over)
        result: T = await job.done
        return result

    async def read(self, work: Work[T], brief: bool = False) -> T:
        """What `work` returns, seeing every write acknowledged before. Raises StateUnavailable.

        `brief` work finds a few rows by their key, so that the loop may do it itself.
        """
        if self._path == MEMORY:  # lives in the writer's connection alone
            return await self.write(work)
        if self._closed:
            raise StateUnavailable("the state file is closed")
        if brief:
            with suppress(sqlite3.Error):  # it is locked just now, or damaged: a reader waits, or says so
                return self._read_near(work)
        return await self._loop.run_in_executor(self._readers, self._read, work)

    async def close(self) -> None:
        """Finish what was submitted, then close. Further calls are no-ops."""
        if not self._closed:
            self._closed = True
            self._batches.put(self._waiting)
            self._batches.put(None)
            if self._near:
                self._near.close()
            await asyncio.to_thread(self._readers.shutdown)
            await asyncio.to_thread(self._thread.join)

    def _read_near(self, work: Work[T]) -> T:
        if self._near is None:
            self._near = connect(self._path)
            self._near.execute("PRAGMA busy_timeout = 0")  # the loop waits for nobody
        return work(self._near)

    def _read(self, work: Work[T]) -> T:
        try:
            if not hasattr(self._reading, "db"):
                self._reading.db = connect(self._path)
            return work(self._reading.db)
        except sqlite3.Error as error:
            raise _unavailable(error) from error

    def _hand_over(self) -> None:
        """Give the writer all that waits, once it has written the batch before."""
        if self._waiting and not (self._writing or self._closed):
            self._batches.put(self._waiting)
            self._waiting, self._writing = [], True

    def _run(self) -> None:
        for batch in iter(self._batches.get, None):
            self._loop.call_soon_threadsafe(self._written, batch, self._commit(batch))
        self._db.close()

    def _written(self, batch: list[_Job], outcomes: list[Any]) -> None:
        """Those who are told go on first, so that what they write next goes with what waits by now."""
        self._writing = False
        for job, outcome in zip(batch, outcomes, strict=True):
            job.tell(outcome)
        if self._waiting:
            self._loop.call_soon(self._hand_over)

    def _commit(self, batch: list[_Job]) -> list[Any]:
        """One outcome a job: what it returned, or _Failed."""
        try:
            self._begin()
            outcomes = [self._attempt(job.work, len(batch) == 1) for job in batch]
            if self._db.in_transaction:
                self._db.execute("COMMIT")
            return outcomes
        except Exception as error:  # whatever it is, every caller gets an answer and the thread lives on
            with suppress(sqlite3.Error):  # nothing to roll back when the failure did it
                self._db.execute("ROLLBACK")
            return [_Failed(_unavailable(error)) for _ in batch]

    def _begin(self) -> None:
        """Take the file's one write lock, as soon as another process lets go of it.

        SQLite itself would look again ever more rarely, every 100 ms at last, and beside a busy neighbour wait for
        seconds: it is seldom that the lock is free at that very moment.
        """
        deadline = time.monotonic() + schema.BUSY
        while True:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(LOOK_S)

    def _attempt(self, work: Work[Any], alone: bool) -> Any:
        """Work that is `alone` in its transaction is undone with it.

        Raises sqlite3.Error only when the failure took the whole transaction with it (a full disk does).
        """
        if not alone:
            self._db.execute("SAVEPOINT job")
        try:
            outcome = work(self._db)
        except Exception as error:
            if not self._db.in_transaction:
                raise
            self._db.execute("ROLLBACK" if alone else "ROLLBACK TO job")
            outcome = _Failed(_unavailable(error) if isinstance(error, sqlite3.Error) else error)
        if not alone:
            self._db.execute("RELEASE job")
        return outcome


def _opened(path: str) -> sqlite3.Connection:
    try:
        if path != MEMORY:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        db = connect(path)
        prepare(db, path)
        db.execute("PRAGMA busy_timeout = 0")  # the waiting is done in `_begin`
        return db
    except (sqlite3.OperationalError, OSError) as error:
        raise StateUnavailable(f"{path} cannot be opened as state: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StateUnavailable(
            f"{path} is damaged ({error}) and was left as it is: restore a backup, or save what can be read with "
            f"`sqlite3 {path} .recover | sqlite3 {path}-recovered` and name that file"
        ) from error


def _unavailable(error: Exception) -> StateUnavailable:
    """With SQLite's own name for the cause (SQLITE_FULL, SQLITE_BUSY, ...); its message may quote data."""
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    unavailable = StateUnavailable(f"the state file cannot answer ({name})")
    unavailable.__cause__ = error
    return unavailable
