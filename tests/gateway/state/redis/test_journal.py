"""The journal of several machines: every row told once and summed once, whatever Redis lost and whoever tells it."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.state import COLUMNS, Clock, StateUnavailable
from gateway.state.redis.journal import RedisJournal
from gateway.state.redis.outbox import Outbox
from gateway.state.redis.server import Server, tagged
from gateway.state.redis.shared import PIECE, QUARTER_S, ROW_S, SharedJournal
from gateway.state.sqlite.database import Database
from gateway.state.sqlite.journal import SqliteJournal
from tests.fakes.redis import RedisServer
from tests.gateway.state.redis.machine import once_back

CALL_S = 2.0
NOON = 1_795_348_800.0  # 2026-11-22 12:00 UTC


@dataclass
class Machine:
    """One gateway process's journal; two of the same file are two workers of a machine."""

    journal: RedisJournal
    local: SqliteJournal
    outbox: Outbox


@asynccontextmanager
async def machine(url: str, file: Path) -> AsyncIterator[Machine]:
    server, database = Server(url, CALL_S), await Database.open(str(file))
    shared, local = SharedJournal(server), SqliteJournal(database)
    outbox = Outbox(shared, database, file.stem, Clock())
    try:
        yield Machine(RedisJournal(local, shared, outbox), local, outbox)
    finally:
        await database.close()
        await server.aclose()


def play(folder: Path, scenario: Callable[..., Awaitable[None]], files: str = "ab") -> None:
    """The scenario with a server and one machine (or worker) a letter."""

    async def run() -> None:
        async with AsyncExitStack() as stack:
            machines = [await stack.enter_async_context(machine(redis.url, folder / f"{file}.db")) for file in files]
            await scenario(redis, *machines)

    with RedisServer(folder / "redis") as redis:
        asyncio.run(run())


def row(number: int, **columns: Any) -> dict[str, Any]:
    """A row; ten minutes apart from noon."""
    known = {"request_id": f"r{number:03}", "at": NOON + 600.0 * number, "tenant": "acme", "key": "k", "status": 200}
    counts = {"input_tokens": 2 * number + 1, "output_tokens": 1, "cached_tokens": 0, "cost_nano": 10**12 + number}
    return dict.fromkeys(COLUMNS) | known | counts | {"detail": '{"stages": []}'} | columns


async def total(machine: Machine, **asked: Any) -> tuple[int, int]:
    """Requests and input tokens."""
    found = await machine.journal.usage([], NOON - 86_400, NOON + 86_400 * 30, **asked)
    return (found[0]["requests"], found[0]["input_tokens"]) if found else (0, 0)


def test_one_machine_reads_what_another_wrote(tmp_path: Path) -> None:
    async def scenario(_: RedisServer, one: Machine, two: Machine) -> None:
        await one.journal.write(row(1, tags='{"team": "a"}'))
        await two.journal.write(row(2, tenant="zeta"))
        await one.outbox.push()
        assert await two.journal.read("r001") == row(1, tags='{"team": "a"}')
        assert await two.journal.read("r009") is None
        assert [found["request_id"] for found in await two.journal.latest(5)] == ["r002", "r001"]
        assert await total(one) == await total(two) == (2, 3 + 5)
        assert await total(one, tenant="acme") == (1, 3)

    play(tmp_path, scenario)


def test_an_outage_delays_rows_and_loses_none(tmp_path: Path) -> None:
    async def scenario(redis: RedisServer, one: Machine, two: Machine) -> None:
        await one.journal.write(row(1))
        await one.outbox.push()
        redis.kill()
        for number in range(2, 5):
            await one.journal.write(row(number))
        assert (await one.journal.read("r004")) == row(4)
        with pytest.raises(StateUnavailable):
            await one.outbox.push()
        with pytest.raises(StateUnavailable):
            await total(one)
        redis.start()
        await once_back(one.outbox.push)
        await once_back(lambda: total(two))
        assert await total(two) == (4, 3 + 5 + 7 + 9)

    play(tmp_path, scenario)


@pytest.mark.parametrize("loss", ["flushed", "empty", "restarted"])
def test_after_a_loss_everything_is_told_again_and_nothing_counts_twice(tmp_path: Path, loss: str) -> None:
    async def scenario(redis: RedisServer, one: Machine, two: Machine) -> None:
        for number in range(1, 6):
            await (one if number % 2 else two).journal.write(row(number))
        assert await total(one) == (3, 3 + 7 + 11)
        assert await total(two) == (5, 3 + 5 + 7 + 9 + 11)
        if loss == "flushed":
            redis.admin.flushall()
        else:
            redis.restart(empty=loss == "empty")
        await once_back(one.outbox.push)
        await once_back(two.outbox.push)
        assert await total(one) == await total(two) == (5, 3 + 5 + 7 + 9 + 11)
        assert await two.journal.read("r003") == row(3)

    play(tmp_path, scenario)


def test_a_restart_that_lost_the_end_is_told_it_again(tmp_path: Path) -> None:
    async def scenario(redis: RedisServer, one: Machine) -> None:
        now = Clock().now()
        redis.admin.config_set("appendonly", "no")  # from here on the files say nothing
        redis.admin.config_rewrite()
        await one.journal.write(row(1, at=now - 3_600))
        await one.outbox.push()
        redis.admin.save()
        await one.journal.write(row(2, at=now))
        await one.outbox.push()
        redis.kill()
        redis.start()
        await once_back(one.outbox.push)
        (found,) = await one.journal.usage([], now - 86_400, now + 86_400)
        assert (found["requests"], found["input_tokens"]) == (2, 3 + 5)

    play(tmp_path, scenario, "a")


def test_workers_of_one_machine_tell_its_rows_once(tmp_path: Path) -> None:
    async def scenario(_: RedisServer, one: Machine, two: Machine) -> None:
        async def work(worker: Machine, numbers: range) -> None:
            for number in numbers:
                await worker.journal.write(row(number, at=NOON + number))
                if number % 5 == 0:
                    await worker.outbox.push()

        await asyncio.gather(work(one, range(40)), work(two, range(40, 80)))
        assert await total(one) == await total(two) == (80, sum(2 * number + 1 for number in range(80)))

    play(tmp_path, scenario, "aa")


def test_a_dead_machines_row_that_was_half_told_is_summed_when_it_is_told_again(tmp_path: Path) -> None:
    async def scenario(redis: RedisServer, one: Machine) -> None:
        sums = tagged("acme", "sums", str(int(row(1)["at"] // QUARTER_S)))
        redis.admin.set(sums, "what is no hash")
        with pytest.raises(StateUnavailable):
            await one.outbox.stand_in([row(1)])
        redis.admin.delete(sums)
        await one.outbox.stand_in([row(1)])
        await one.outbox.stand_in([row(1)])
        assert await total(one) == (1, row(1)["input_tokens"])

    play(tmp_path, scenario, "a")


def test_a_row_told_for_a_dead_machine_counts_once_also_when_it_is_back(tmp_path: Path) -> None:
    async def scenario(_: RedisServer, one: Machine, two: Machine) -> None:
        await two.outbox.stand_in([row(1)])
        await two.outbox.stand_in([row(1)])
        await two.journal.write(row(2))
        assert await total(two) == (2, 3 + 5)
        assert await one.journal.read("r001") == row(1)
        await one.journal.write(row(1))
        assert await total(one) == await total(two) == (2, 3 + 5)
        await two.outbox.stand_in([row(1)])
        assert await total(two) == (2, 3 + 5)

    play(tmp_path, scenario)


def without_first(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "first"} for row in rows]


def test_sums_are_those_of_the_rows_for_any_span_group_and_zone(tmp_path: Path) -> None:
    """Against SQLite over all rows: whole quarters come as sums, the rest row by row."""
    chance = random.Random(3)

    def some() -> dict[str, Any]:
        tags = chance.choice([None, "{}", '{"team": "a"}', '{"app": "x", "team": "b"}'])
        return {"model": chance.choice([None, "small", "big"]), "tags": tags, "prompt": chance.choice(["p", None])} | {
            "at": NOON + chance.uniform(0, 3 * 86_400), "cost_nano": chance.choice([None, 0, 2**52]),
            "tenant": chance.choice(["acme", "zeta"]), "cached_tokens": chance.choice([None, 3]),
            "checks": chance.choice([None, "", "truncated"]), "fingerprint": chance.choice([None, "a"]),
            "output_tokens": chance.choice([None, 0, 20, 21, 900]),
        }  # fmt: skip

    async def scenario(_: RedisServer, one: Machine, two: Machine, all_of_it: Machine) -> None:
        for number in range(PIECE + 50):
            written = row(number, **some())
            await (one if number % 3 else two).journal.write(written)
            await all_of_it.local.write(written)
        await one.outbox.push()
        for _try in range(40):
            since = NOON + chance.choice([0, QUARTER_S * chance.randrange(200), chance.uniform(0, 2e5)])
            until = since + chance.choice([60, QUARTER_S * chance.randrange(200), chance.uniform(0, 2e5)])
            by = chance.sample(
                ["day", "tenant", "key", "model", "fingerprint", "prompt", "tag", "tag:team"], chance.randrange(4)
            )
            asked = chance.choice([None, "acme"]), chance.choice(["UTC", "Asia/Kathmandu", "America/New_York"])
            found = await two.journal.usage(by, since, until, *asked)
            assert found == await all_of_it.local.usage(by, since, until, *asked), (by, since, until, asked)
            judged = await two.journal.judged(by, since, until, *asked)
            exact = await all_of_it.local.judged(by, since, until, *asked)
            assert without_first(judged) == without_first(exact), (by, since, until, asked)
            late = [one["first"] - other["first"] for one, other in zip(exact, judged, strict=True)]
            assert all(0 <= seconds < QUARTER_S for seconds in late)

    play(tmp_path, scenario, "abc")


def test_what_an_older_version_told_is_read_and_was_never_judged(tmp_path: Path) -> None:
    async def scenario(redis: RedisServer, one: Machine, two: Machine) -> None:
        await one.journal.write(row(1, checks="", fingerprint="f", cause="stop"))
        await one.outbox.push()
        told, sums = (
            tagged("acme", *name) for name in (("row", "r001"), ("sums", str(int(row(1)["at"] // QUARTER_S))))
        )
        redis.admin.set(told, json.dumps(json.loads(redis.admin.get(told))[:-3]))
        requests, _, groups = redis.admin.hget(sums, "a").partition(" ")
        (group,) = json.loads(groups)
        older = {name: value for name, value in group.items() if name not in ("fingerprint", "checks", "lengths")}
        redis.admin.hset(sums, "a", f"{requests} {json.dumps([older])}")
        assert await two.journal.read("r001") == row(1)
        assert await total(two) == (1, 3)
        (used,) = await two.journal.usage(["fingerprint"], NOON, NOON + QUARTER_S)
        assert used["fingerprint"] is None
        assert await two.journal.judged([], NOON, NOON + QUARTER_S) == []

    play(tmp_path, scenario)


def test_what_is_kept_in_redis_is_bounded_and_sums_stay(tmp_path: Path) -> None:
    async def scenario(redis: RedisServer, one: Machine, two: Machine) -> None:
        await one.journal.write(row(1))
        await one.outbox.push()
        ttls = Counter(redis.admin.ttl(key) > 0 for key in redis.admin.keys("*:r001"))
        assert ttls == {True: 3}  # the row, its detail, whose it is
        await one.journal.write(row(2, at=NOON + ROW_S + QUARTER_S))
        await one.outbox.push()
        assert redis.admin.zrange("tollgate:{acme}:journal", 0, -1) == ["r002"]
        (found,) = await two.journal.usage([], NOON, NOON + 2 * ROW_S)
        assert found["requests"] == 2
        assert await one.journal.read("r001") == row(1)

    play(tmp_path, scenario)


def test_a_stale_sum_of_a_slower_worker_is_not_taken(tmp_path: Path) -> None:
    async def scenario(redis: RedisServer, _: Machine) -> None:
        server = Server(redis.url, CALL_S)
        shared = SharedJournal(server)
        groups: list[Mapping[str, Any]] = [{"requests": 2, "input_tokens": 8}]
        await shared.sum("acme", 5, "a", groups)
        await shared.sum("acme", 5, "a", [{"requests": 1, "input_tokens": 3}])
        kept = redis.admin.hget("tollgate:{acme}:sums:5", "a").partition(" ")[2]
        assert json.loads(kept) == groups
        await server.aclose()

    play(tmp_path, scenario, "a")
