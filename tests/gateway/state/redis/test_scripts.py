"""The scripts by themselves: what they keep, and that no order of arrival makes them count twice or too little."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest

from gateway.state import Hold, Limit
from gateway.state.counters import Counter, Standing, bind_hold, counter_at, metered
from gateway.state.redis.counts import Counts, Member, epoch_keys, hold_key, meter_key, open_key
from gateway.state.redis.rebuild import BEGIN, JOIN, OPEN
from gateway.state.redis.server import Server
from gateway.state.sqlite.counters import Total
from gateway.state.sqlite.pending import Pending
from tests.fakes.redis import RedisServer
from tests.gateway.state.redis.machine import CALL_S

AT = 1_800_000_000.5
DAY, MINUTE = Limit("tokens", "day", 50), Limit("tokens", "minute", 50)
HOLD = Hold("r", "acme", "k1", "owner", {"tokens": 7}, (DAY, MINUTE), (), AT)
METERS = metered(bind_hold(HOLD))
COUNTERS = tuple(counter_at(meter, AT, "UTC") for meter in METERS)
PENDING = Pending("r", "acme", "owner", {"tokens": 7}, COUNTERS, {}, {}, {})

Scenario = Callable[["Counts", "Counts"], Awaitable[None]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    running.admin.flushall()
    return running


def play(server: RedisServer, scenario: Scenario) -> None:
    """Two machines that have joined `acme`."""

    async def run() -> None:
        client = Server(server.url, CALL_S)
        keys, names = epoch_keys("acme"), ("p1", "p2")
        for name in names:
            await client.register_script(BEGIN)(keys=keys, args=[name, "token"])
            assert await client.register_script(JOIN)(keys=keys[1:], args=[name, "token"])
        assert await client.register_script(OPEN)(keys=keys, args=names) == 0
        try:
            await scenario(*(Counts(client, Member(f"n{number}", name)) for number, name in enumerate(names)))
        finally:
            await client.aclose()

    asyncio.run(run())


async def ask(counts: Counts, hold: Hold = HOLD) -> str:
    return (await counts.hold(hold, bind_hold(hold))).what


async def standing(counts: Counts, at: float = AT) -> list[tuple[int, int]]:
    found = await counts.look("acme", METERS, at, "UTC")
    assert found is not None
    return [(found[meter].used, found[meter].held) for meter in METERS]


def totals(used: int, counters: tuple[Counter, ...] = COUNTERS) -> list[Total]:
    return [Total(counter, used, 0) for counter in counters]


def test_a_hold_that_arrives_after_its_settlement_sets_nothing_aside(server: RedisServer) -> None:
    """Two calls over two connections, swapped on the way."""

    async def scenario(one: Counts, _: Counts) -> None:
        await one.settle("acme", "r")
        assert await ask(one) == "settled"
        await one.force(PENDING, AT)  # read from the file before it was settled there
        assert await standing(one) == [(0, 0)] * 2
        assert not server.admin.exists(open_key("acme"))

    play(server, scenario)


def test_what_a_machine_used_only_grows(server: RedisServer) -> None:
    """Settlements and retellings in any order, any number of times: the largest sum of its file counts."""

    async def scenario(one: Counts, other: Counts) -> None:
        for used in (5, 12, 9, 5):
            await one.settle("acme", f"r{used}", totals(used), at=AT)
        await other.settle("acme", "x", totals(3), at=AT)
        assert await standing(one) == [(15, 0)] * 2

    play(server, scenario)


def test_repeated_calls_change_nothing(server: RedisServer) -> None:
    async def scenario(one: Counts, _: Counts) -> None:
        for _again in range(2):
            assert await ask(one) == "held"
            await one.force(PENDING, AT)
        assert await standing(one) == [(0, 7)] * 2
        for _again in range(2):
            await one.settle("acme", "r", totals(4), at=AT)
        assert await standing(one) == [(4, 0)] * 2

    play(server, scenario)


def test_a_repeated_hold_names_the_windows_of_the_first(server: RedisServer) -> None:
    async def scenario(one: Counts, _: Counts) -> None:
        first = await one.hold(HOLD, bind_hold(HOLD))
        again = replace(HOLD, at=AT + 5)
        assert first.counters == COUNTERS == (await one.hold(again, bind_hold(again))).counters

    play(server, scenario)


@pytest.mark.parametrize("behind_s", [0.9, 30, 86_400, 86_400 * 40])
def test_a_clock_that_is_behind_falls_into_the_newest_window(server: RedisServer, behind_s: float) -> None:
    async def scenario(one: Counts, other: Counts) -> None:
        assert await ask(one) == "held"
        late = replace(HOLD, request_id="late", at=AT - behind_s)
        reply = await other.hold(late, bind_hold(late))
        assert reply.counters == COUNTERS
        assert await standing(other, AT - behind_s) == [(0, 14)] * 2

    play(server, scenario)


def test_a_minute_slides(server: RedisServer) -> None:
    async def scenario(one: Counts, _: Counts) -> None:
        for number in range(5):
            assert await ask(one, replace(HOLD, request_id=f"r{number}", at=AT + number * 10)) == "held"
        full = replace(HOLD, request_id="full", amounts={"tokens": 16}, tenant_limits=(MINUTE,))
        assert await ask(one, replace(full, at=AT + 60.4)) == "refused"  # the first second counts for a whole minute
        assert await ask(one, replace(full, at=AT + 60.5)) == "held"
        live = {second.end: second.amount for second in await one.live("acme", METERS[1])}
        assert live == {int(AT) + 10 * n + 61: 7 for n in range(1, 5)} | {int(AT) + 122: 16}

    play(server, scenario)


def test_the_balance_resets_when_the_last_second_slides_out(server: RedisServer) -> None:
    async def scenario(one: Counts, _: Counts) -> None:
        await ask(one)
        assert await one.look("acme", METERS, AT, "UTC") == {
            METERS[0]: Standing(0, 7, COUNTERS[0].end),
            METERS[1]: Standing(0, 7, int(AT) + 61),
        }

    play(server, scenario)


def test_nothing_stays_for_ever(server: RedisServer) -> None:
    async def scenario(one: Counts, _: Counts) -> None:
        await ask(one)
        await one.settle("acme", "r", totals(3), at=AT)
        for key in (hold_key("acme", "r"), *(meter_key("acme", meter) for meter in METERS)):
            assert server.admin.ttl(key) > 0
        assert not server.admin.exists(open_key("acme"))
        assert server.admin.hkeys(hold_key("acme", "r")) == ["state"]
        await ask(one, replace(HOLD, request_id="r2", at=AT + 86_400))
        assert len(server.admin.hkeys(meter_key("acme", METERS[0]))) == 2  # `latest`, and today's: yesterday is gone

    play(server, scenario)


def test_a_settlement_after_its_window_revives_nothing(server: RedisServer) -> None:
    async def scenario(one: Counts, _: Counts) -> None:
        await ask(one)
        tomorrow = replace(HOLD, request_id="r2", at=AT + 86_400)
        await ask(one, tomorrow)
        await one.settle("acme", "r", totals(5), at=AT + 86_400)
        assert await standing(one, AT + 86_400) == [(0, 7)] * 2

    play(server, scenario)


def test_a_checkpoint_makes_no_hold(server: RedisServer) -> None:
    async def scenario(one: Counts, _: Counts) -> None:
        await one.checkpoint("acme", "r", {"tokens": 3}, {"output_tokens": 1})
        assert await ask(one) == "held"
        assert "spent:tokens" not in server.admin.hgetall(hold_key("acme", "r"))

    play(server, scenario)


def test_nothing_is_admitted_on_counters_of_another_server_or_by_who_has_not_joined(server: RedisServer) -> None:
    async def scenario(one: Counts, other: Counts) -> None:
        epoch, joined = epoch_keys("acme")
        server.admin.hdel(joined, "p2")
        assert [await ask(one), await ask(other)] == ["held", "lost"]
        server.admin.set(epoch, "0" * 40)
        assert await ask(one, replace(HOLD, request_id="r2")) == "lost"
        assert await one.look("acme", METERS, AT, "UTC") is None

    play(server, scenario)


def test_who_began_before_a_flush_has_not_joined(server: RedisServer) -> None:
    async def scenario(_: Counts, __: Counts) -> None:
        client, keys = Server(server.url, CALL_S), epoch_keys("acme")
        begin, join, opened = (client.register_script(script) for script in (BEGIN, JOIN, OPEN))
        await begin(keys=keys, args=["p1", "token"])
        server.admin.flushall()
        assert await join(keys=keys[1:], args=["p1", "token"]) == 0
        assert await opened(keys=keys, args=["p1"]) == -1
        await begin(keys=keys, args=["p1", "another"])
        assert await join(keys=keys[1:], args=["p1", "another"]) == 1
        assert await opened(keys=keys, args=["p1", "p2", "p3"]) == 2
        assert await opened(keys=keys, args=["p1"]) == 0
        await client.aclose()

    play(server, scenario)
