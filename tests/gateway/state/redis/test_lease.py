"""Redis is away: what was leased beforehand is spent, then nothing; back, everything is told and the lease is gone."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.state import Clock, Hold, Limit, OverLimit, StateUnavailable
from gateway.state.owners import alive
from gateway.state.redis import budgets
from gateway.state.redis.counts import Counts, Member, open_key
from gateway.state.redis.fleet import Fleet
from gateway.state.redis.lease import Leases
from gateway.state.redis.leasing import Leasing
from gateway.state.redis.rebuild import Rebuild
from gateway.state.redis.server import Server
from gateway.state.redis.sweep import Sweep
from gateway.state.sqlite.budgets import SqliteBudgets
from gateway.state.sqlite.database import Database
from gateway.state.windows import span
from tests.fakes.proxy import Proxy, proxied
from tests.fakes.redis import RedisServer
from tests.gateway.state.redis.machine import CALL_S, Machine, machine, machines, until

DAY, MINUTE = Limit("tokens", "day", 10_000), Limit("tokens", "minute", 10_000)  # a lease has 99 of what remains
REQUESTS = Limit("requests", "day", 20)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease is taken within half a second."""
    monkeypatch.setattr(budgets, "RENEW_S", 0.5)


async def leased(server: RedisServer, count: int = 1) -> None:
    """Wait until so many processes have a lease."""

    async def all_have() -> bool:
        return bool(server.admin.scard(open_key("acme", lease=True)) == count)

    await until(all_have, f"{count} leases are there")


async def whether(one: Machine, hold: Hold) -> str:
    try:
        await one.budgets.hold(hold)
    except (OverLimit, StateUnavailable) as error:
        return type(error).__name__
    return "admitted"


@pytest.mark.parametrize("limits", [(DAY,), (DAY, MINUTE)], ids=["day", "minute"])
def test_the_lease_is_spent_then_nothing_and_told_when_redis_is_back(
    server: RedisServer, tmp_path: Path, limits: tuple[Limit, ...]
) -> None:
    async def scenario() -> None:
        async with machines(server.url, tmp_path, 2) as fleet:
            one, other = fleet
            await one.budgets.hold(one.asked("before", 40, *limits))
            await leased(server)
            server.kill()
            asked = [await whether(one, one.asked(f"r{number}", 30, *limits)) for number in range(5)]
            assert asked == ["admitted"] * 3 + ["StateUnavailable"] * 2
            assert await one.budgets.settle("r0", {"tokens": 10}) == []  # nobody knows the balances
            assert await whether(one, one.asked("r5", 25, *limits)) == "admitted"  # from what was given back
            assert await whether(other, other.asked("no lease", 1, *limits)) == "StateUnavailable"
            server.start()
            await until(lambda: told(other, limits), "everything is told, and no lease held")
            for name in ("r1", "r2", "r5", "before"):
                await one.budgets.settle(name, {"tokens": 5})
            assert await other.standing(*limits) == await one.spent(*limits) == [(10 + 4 * 5, 0)] * len(limits)

    async def told(other: Machine, limits: tuple[Limit, ...]) -> bool:
        return await other.standing(*limits) == [(10, 40 + 2 * 30 + 25)] * len(limits)

    asyncio.run(scenario())


def test_no_lease_makes_a_living_gateway_refuse(server: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with machines(server.url, tmp_path, 3) as fleet:
            for number, one in enumerate(fleet):
                await one.budgets.hold(one.asked(f"first {number}", 1, REQUESTS))
            await leased(server, len(fleet))
            asked = [(one, one.asked(f"{one.node} {number}", 1, REQUESTS)) for one in fleet for number in range(20)]
            assert sum(await asyncio.gather(*(one.admitted(hold) for one, hold in asked))) == REQUESTS.amount - 3
            assert await fleet[0].standing(REQUESTS) == [(0, REQUESTS.amount)]

    asyncio.run(scenario())


def test_a_lease_that_is_not_given_back_stays_set_aside(server: RedisServer, tmp_path: Path) -> None:
    """Its process may be spending it where nobody can see: here behind a network that lets nothing pass."""

    async def scenario(proxy: Proxy) -> None:
        async with machine(proxy.url, tmp_path / "a.db") as one, machine(server.url, tmp_path / "b.db") as other:
            await one.budgets.hold(one.asked("first", 1, REQUESTS))
            await leased(server)
            proxy.blackhole()
            assert await whether(one, one.asked("from the lease", 1, REQUESTS)) == "admitted"
            asked = [other.admitted(other.asked(f"{number}", 1, REQUESTS)) for number in range(20)]
            assert sum(await asyncio.gather(*asked)) == REQUESTS.amount - 2
            proxy.heal()
            await until(lambda: full(other), "what was leased is told")

    async def full(other: Machine) -> bool:
        return not server.admin.scard(open_key("acme", lease=True)) and await other.standing(REQUESTS) == [(0, 20)]

    with proxied(server.url) as proxy:
        asyncio.run(scenario(proxy))


def test_a_machine_that_seems_dead_keeps_its_lease(server: RedisServer, tmp_path: Path) -> None:
    """Behind a cut network it may still spend it."""

    async def scenario(proxy: Proxy) -> None:
        async with (
            machine(proxy.url, tmp_path / "a.db") as one,
            machine(server.url, tmp_path / "b.db", dead_s=1.0) as other,
        ):
            await one.budgets.hold(one.asked("first", 1, REQUESTS))
            await one.budgets.settle("first", {"requests": 1})
            await leased(server)
            await one.budgets.hold(one.asked("presumed", 1, REQUESTS, tenant="beta"))
            proxy.blackhole()
            await until(lambda: presumed(other), "it seems dead")
            asked = [other.admitted(other.asked(f"{number}", 1, REQUESTS)) for number in range(20)]
            assert sum(await asyncio.gather(*asked)) == REQUESTS.amount - 2
            assert await whether(one, one.asked("from the lease", 1, REQUESTS)) == "admitted"

    async def presumed(other: Machine) -> bool:
        return "presumed" in await other.budgets.recover(alive)

    with proxied(server.url) as proxy:
        asyncio.run(scenario(proxy))


def test_an_orderly_end_gives_the_leases_back(server: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with machine(server.url, tmp_path / "b.db") as other:
            async with machine(server.url, tmp_path / "a.db") as one:
                await one.budgets.hold(one.asked("first", 1, DAY))
                await leased(server)
            assert await other.standing(DAY) == [(0, 1)]

    asyncio.run(scenario())


@pytest.mark.parametrize("asked", [(101, 1), (1, 2)], ids=["tokens", "requests"])
def test_what_does_not_fit_the_lease_is_not_admitted(
    server: RedisServer, tmp_path: Path, asked: tuple[int, int]
) -> None:
    async def scenario() -> None:
        async with machine(server.url, tmp_path / "a.db") as one:
            await one.budgets.hold(one.asked("first", 1, DAY, REQUESTS))
            await leased(server)
            server.kill()
            for number in range(asked[1]):
                found = await whether(one, one.asked(f"r{number}", asked[0], DAY, REQUESTS))
            assert found == "StateUnavailable"
            lowered = one.asked("other limits", 1, Limit("tokens", "day", 9_999), REQUESTS)
            assert await whether(one, lowered) == "StateUnavailable"

    asyncio.run(scenario())


@pytest.mark.parametrize(("limit", "ahead_s", "good"), [(MINUTE, 29, True), (MINUTE, 32, False), (DAY, 29, True)])
def test_a_lease_is_good_for_as_long_as_it_counts_for_what_is_spent(
    server: RedisServer, tmp_path: Path, limit: Limit, ahead_s: int, good: bool
) -> None:
    """And before it is given back, what was spent from it is told."""

    async def scenario() -> None:
        async with machine(server.url, tmp_path / "a.db") as one:
            await one.budgets.hold(one.asked("joins the tenant", 1, limit))
            now = [noon]
            clock, database = Clock(0.0, running=lambda: now[0]), await Database.open(str(tmp_path / "leases.db"))
            client, local, leases = Server(server.url, CALL_S), SqliteBudgets(database, clock), Leases()
            member = Member("leases", "leasing")
            counts, fleet = Counts(client, member), Fleet(client, database, member)
            sweep = Sweep(client, counts, local, fleet, lambda: leases.ids, push, clock)
            rebuild = Rebuild(client, counts, local, fleet, leases, sweep, clock)
            leasing = Leasing(counts, fleet, rebuild, leases, clock)
            await rebuild.ensure("acme")
            leasing.asked(one.asked("asks", 10, limit))
            await leasing.renew()
            assert server.admin.scard(open_key("acme", lease=True)) == 1
            now[0] += ahead_s
            spends = one.asked("spends", 10, limit)
            lease = leases.spend(spends, now[0])
            assert bool(lease) == good
            if lease:
                await local.record(spends, [counter for counter in lease.counters if counter.unit == "tokens"])
                rebuild.untold.add("acme")
            await leasing.release("acme")
            assert not server.admin.exists(open_key("acme", lease=True))
            assert bool(server.admin.sismember(open_key("acme"), "spends")) == good
            await client.aclose()
            await database.close()

    async def push(_: Sequence[Mapping[str, Any]]) -> None:
        raise AssertionError("nobody died")

    noon = span("day", Clock().now())[1] + 43_200.0  # tomorrow: after what the machine itself holds
    asyncio.run(scenario())
