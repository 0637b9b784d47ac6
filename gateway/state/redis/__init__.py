"""State of many gateway machines: each one's own SQLite file is the record, one Redis is what they share.

Redis may be lost at any time. The protocol on one screen; each module says its own part:

Counting (`scripts`, `counts`). All keys of a tenant have one hash tag, and each script is one atomic step on them. What
was used is told as absolute sums per machine that only grow, so telling it again, late or twice, counts nothing twice;
what is held is kept by request id, so is ended once.
A hold (`admission`). 1 Redis judges all limits at once; 2 the file records it; only then is it admitted.
A settlement (`budgets`). 1 The file books it, with its journal row; 2 Redis is told. What Redis misses is `untold`:
the file's sums and holds are told again as soon as Redis answers, at an orderly stop, or by the machine's sweep.
A loss (`rebuild`). A tenant's `epoch` names the run of the server on which its counters are whole, `joined` what each
process has told there. After a flush, restart or failover neither fits: nothing is admitted until every living process
(`fleet`: who beats) has told its file, or was waited for in vain.
An outage (`lease`, `leasing`). Each process has a hundredth of what remains set aside beforehand and spends that, on
file only; then it refuses. A lease goes back only when all that was spent from it is told.
The dead (`sweep`). Of a process its own machine knows what to settle, at once. Of a machine that is silent for long
another settles the holds at their last checkpoint; its return tells the truth.
Tenants and keys (`keys` over `directory`, `mirror`, `records`). Written to Redis, copied to every file a few times a
second, read from there; a lost directory is laid together again from the copies.
The journal (`journal` over `outbox`, `shared`). Rows are in the file; Redis is told them, and their sums per machine.
Replays, cached answers and what is learned of them (`replays`, `answers`, `feedback`, `claims`) live in Redis alone.
Every call (`server` over `connect`, `deadline`, `breaker`, `failures`) returns in time or raises StateUnavailable;
no refusal of a server is ever read as a result. At the start `durable` asks whether the server keeps what it is told.
"""

import asyncio
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from gateway.state import Clock, State, StateUnavailable
from gateway.state.background import every, stopped
from gateway.state.eviction import ENTRIES
from gateway.state.redis.answers import RedisAnswers, check_index
from gateway.state.redis.budgets import STOP_S, RedisBudgets
from gateway.state.redis.claims import RedisClaims
from gateway.state.redis.deadline import CALL_S
from gateway.state.redis.directory import Directory
from gateway.state.redis.durable import check_durable, check_usable
from gateway.state.redis.feedback import RedisFeedback
from gateway.state.redis.journal import RedisJournal
from gateway.state.redis.keys import RedisKeys
from gateway.state.redis.mirror import Mirror
from gateway.state.redis.outbox import Outbox
from gateway.state.redis.replays import RedisReplays
from gateway.state.redis.server import Server
from gateway.state.redis.shared import SharedJournal
from gateway.state.sqlite import locks_of, meta
from gateway.state.sqlite.budgets import SqliteBudgets
from gateway.state.sqlite.clock import clock_of
from gateway.state.sqlite.database import Database
from gateway.state.sqlite.journal import SqliteJournal
from gateway.state.sqlite.keys import SqliteKeys

REFRESH_S = 0.25  # a key revoked elsewhere is refused within a second: this, and the half second keys are remembered
PUSH_S = 1.0  # the dashboard of another machine may be that far behind


async def open_redis(
    url: str,
    ledger: str,
    durable: bool = True,
    call_s: float = CALL_S,
    trust_clock: bool = False,
    max_entries: int = ENTRIES,
    indexed: bool = False,
) -> State:
    """State in the Redis at `url` and the file `ledger`. Raises ValueError (URL) or StateUnavailable.

    `durable` False asks no server whether it keeps what it is told; `call_s` is how long a call may take;
    `max_entries` bounds the cached answers; `indexed`: Redis itself compares their questions.
    """
    server = Server(url, call_s)
    try:
        database = await Database.open(ledger)
        try:
            if indexed:
                await check_index(server)
            answers = partial(RedisAnswers, server, most=max_entries, indexed=indexed)
            return await _opened(server, database, ledger, durable, trust_clock, answers)
        except BaseException:
            await database.close()
            raise
    except BaseException:
        await server.aclose()
        raise


async def _opened(
    server: Server,
    database: Database,
    ledger: str,
    durable: bool,
    trust_clock: bool,
    answers: Callable[[Clock], RedisAnswers],
) -> State:
    clock = await clock_of(database, trust_clock)
    await check_usable(server, clock.now)
    if durable:
        await check_durable(server)
    node = await database.write(_node)
    outbox = Outbox(SharedJournal(server), database, node, clock)
    budgets = RedisBudgets(server, SqliteBudgets(database, clock), database, node, clock, outbox.stand_in)
    copy = SqliteKeys(database, clock)
    keys = RedisKeys(Directory(server, Mirror(database, copy)), copy, clock, budgets.open)
    journal = RedisJournal(SqliteJournal(database), SharedJournal(server), outbox)
    await keys.refresh()
    await budgets.start()
    locks = locks_of(ledger)
    tasks = [asyncio.create_task(every(REFRESH_S, keys.refresh)), asyncio.create_task(every(PUSH_S, outbox.push))]

    async def close() -> None:
        await stopped(tasks)
        await budgets.stop()
        with suppress(StateUnavailable, TimeoutError):
            await asyncio.wait_for(outbox.push(), STOP_S)
        await database.close()
        await server.aclose()
        locks.close()

    replays, feedback, claims = RedisReplays(server), RedisFeedback(server), RedisClaims(server)
    return State(keys, budgets, answers(clock), journal, replays, feedback, claims, clock, locks.alive, close)


def _node(db: sqlite3.Connection) -> str:
    """This machine's name among the others: random, made with its file."""
    name = meta.read(db, "node") or secrets.token_hex(8)
    meta.write(db, "node", name)
    return name
