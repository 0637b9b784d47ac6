"""State of many gateway machines: each one's own SQLite file is the record, one Redis is what they share.

Redis may be lost at any time. Limits are counted there (`budgets`), the directory of tenants and keys passes through it
(`keys`), every machine's journal is told to it (`journal`); the files hold all of that. Only replays and cached answers
live in Redis alone.
"""

import asyncio
import secrets
import sqlite3
from contextlib import suppress

from gateway.state import State, StateUnavailable
from gateway.state.redis.answers import RedisAnswers
from gateway.state.redis.background import every, stopped
from gateway.state.redis.budgets import STOP_S, RedisBudgets
from gateway.state.redis.deadline import CALL_S
from gateway.state.redis.directory import Directory
from gateway.state.redis.durable import check_durable, check_usable
from gateway.state.redis.journal import RedisJournal
from gateway.state.redis.keys import RedisKeys
from gateway.state.redis.mirror import Mirror
from gateway.state.redis.outbox import Outbox
from gateway.state.redis.replays import RedisReplays
from gateway.state.redis.server import Server
from gateway.state.redis.shared import SharedJournal
from gateway.state.sqlite import meta
from gateway.state.sqlite.budgets import SqliteBudgets
from gateway.state.sqlite.clock import clock_of
from gateway.state.sqlite.database import Database
from gateway.state.sqlite.journal import SqliteJournal
from gateway.state.sqlite.keys import SqliteKeys

REFRESH_S = 0.25  # a key revoked elsewhere is refused within a second: this, and the half second keys are remembered
PUSH_S = 1.0  # the dashboard of another machine may be that far behind


async def open_redis(
    url: str, ledger: str, durable: bool = True, call_s: float = CALL_S, trust_clock: bool = False
) -> State:
    """State in the Redis at `url` and the file `ledger`. Raises ValueError (URL) or StateUnavailable.

    `durable` False asks no server whether it keeps what it is told; `call_s` is how long a call may take.
    """
    server = Server(url, call_s)
    try:
        database = await Database.open(ledger)
        try:
            return await _opened(server, database, durable, trust_clock)
        except BaseException:
            await database.close()
            raise
    except BaseException:
        await server.aclose()
        raise


async def _opened(server: Server, database: Database, durable: bool, trust_clock: bool) -> State:
    clock = await clock_of(database, trust_clock)
    await check_usable(server, clock.now)
    if durable:
        await check_durable(server)
    node = await database.write(_node)
    outbox = Outbox(SharedJournal(server), database, node, clock)
    budgets = RedisBudgets(server, SqliteBudgets(database, clock), database, node, clock, outbox.stand_in)
    copy = SqliteKeys(database, clock)
    keys = RedisKeys(Directory(server, Mirror(database, copy)), copy, clock)
    journal = RedisJournal(SqliteJournal(database), SharedJournal(server), outbox)
    await keys.refresh()
    await budgets.start()
    tasks = [asyncio.create_task(every(REFRESH_S, keys.refresh)), asyncio.create_task(every(PUSH_S, outbox.push))]

    async def close() -> None:
        await stopped(tasks)
        await budgets.stop()
        with suppress(StateUnavailable, TimeoutError):
            await asyncio.wait_for(outbox.push(), STOP_S)
        await database.close()
        await server.aclose()

    return State(keys, budgets, RedisAnswers(server), journal, RedisReplays(server), clock, close)


def _node(db: sqlite3.Connection) -> str:
    """This machine's name among the others: random, made with its file."""
    name = meta.read(db, "node") or secrets.token_hex(8)
    meta.write(db, "node", name)
    return name
