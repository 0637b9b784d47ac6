"""The whole state over Sentinel and over a Cluster, with a failover and with the owner of a slot killed."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.state import COLUMNS, Entry, Hold, Key, Limit, OverLimit, Replay, State, StateUnavailable, Tenant
from gateway.state.open import open_state
from gateway.state.owners import alive, owner
from gateway.state.redis.server import tagged
from tests.fakes.redis_groups import cluster, sentinel_group

T = TypeVar("T")

TOKENS = Limit("tokens", "day", 50)
TENANTS = [Tenant(f"tenant-{number}", (TOKENS,), 1.0) for number in range(6)]


def hold(state: State, tenant: str, request_id: str, tokens: int = 10) -> Hold:
    now = state.clock.now()
    return Hold(f"{tenant}/{request_id}", tenant, f"key-{tenant}", owner(), {"tokens": tokens}, (TOKENS,), (), now)


def row(asked: Hold, tokens: int) -> dict[str, object]:
    known = {"request_id": asked.request_id, "at": asked.at, "tenant": asked.tenant, "input_tokens": tokens}
    return dict.fromkeys(COLUMNS) | known


async def sooner_or_later(call: Callable[[], Awaitable[T]]) -> T:
    """Once Redis can answer again."""
    for _ in range(300):
        with suppress(StateUnavailable):
            return await call()
        await asyncio.sleep(0.1)
    return await call()


async def standing(state: State, tenant: str) -> tuple[int, int]:
    (balance,) = await state.budgets.balances(tenant, f"key-{tenant}", (TOKENS,), (), state.clock.now())
    return balance.used, balance.held


async def begun(state: State) -> None:
    """Of every tenant: a key, a cached answer, a replay, 10 tokens spent and 10 held."""
    for tenant in TENANTS:
        name = tenant.name
        assert await state.keys.add_tenant(tenant)
        await state.keys.add_key(Key(f"key-{name}", name, b"\x01" * 32, (), 1.0))
        await state.answers.put(Entry(name, "p", b"{}", 100.0, 10_000.0, b"\x01", (name,)))
        assert await state.replays.begin(Replay(name, "k", b"", "r", owner(), state.clock.now()), alive) is None
        first, second = hold(state, name, "first"), hold(state, name, "second")
        await state.budgets.hold(first)
        await state.budgets.hold(second)
        await state.budgets.settle(first.request_id, {"tokens": 10}, row(first, 10))
        assert await standing(state, name) == (10, 10)


async def is_whole(state: State) -> None:
    """All of it is still there (cached answers may be lost), and the limits hold to the token."""
    now = state.clock.now()
    for tenant in TENANTS:
        name = tenant.name
        found = await sooner_or_later(partial(state.keys.find, f"key-{name}"))
        assert found is not None
        assert found[1] == tenant
        assert await sooner_or_later(partial(standing, state, name)) == (10, 10)
        third = hold(state, name, "third", 30)
        await sooner_or_later(partial(state.budgets.hold, third))
        with pytest.raises(OverLimit):
            await sooner_or_later(partial(state.budgets.hold, hold(state, name, "fourth", 1)))
        await state.budgets.settle(f"{name}/second", {"tokens": 4})
        await state.budgets.settle(f"{name}/third", {"tokens": 6})
        assert await sooner_or_later(partial(standing, state, name)) == (20, 0)
        await state.answers.put(Entry(name, "p", b"[]", 100.0, 10_000.0, b"\x01", (name,)))
    usage = await sooner_or_later(lambda: state.journal.usage(["tenant"], now - 3_600, now + 3_600))
    assert [(found["tenant"], found["input_tokens"]) for found in usage] == [(tenant.name, 10) for tenant in TENANTS]
    assert len([row async for page in state.answers.vectors("p", 200.0) for row in page]) == len(TENANTS)
    assert await state.answers.purge() == len(TENANTS)


def play(url: str, folder: Path, fault: Callable[[], object]) -> None:
    async def run() -> None:
        state = await open_state(f"{url}{'&' if '?' in url else '?'}timeout_ms=1000", f"sqlite:///{folder}/ledger.db")
        try:
            await begun(state)
            await asyncio.to_thread(fault)
            await is_whole(state)
        finally:
            await state.close()

    asyncio.run(run())


def test_sentinel_fails_over_and_nothing_is_spent_twice(tmp_path: Path) -> None:
    """The old master goes on answering for ten seconds: it must be left, though nothing of it fails."""
    with sentinel_group(tmp_path / "redis") as group:
        play(group.url, tmp_path, group.failover)


def test_the_master_dies_and_sentinel_names_another(tmp_path: Path) -> None:
    with sentinel_group(tmp_path / "redis") as group:
        old = group.master

        def die() -> None:
            old.kill()
            group.until_moved(old)

        play(group.url, tmp_path, die)


@pytest.mark.parametrize("empty", [pytest.param(False, marks=pytest.mark.prove), True])
def test_the_owner_of_a_slot_dies_and_comes_back(tmp_path: Path, empty: bool) -> None:
    """With its data, or without (but with its slots): every tenant there is rebuilt, the others go on meanwhile."""
    with cluster(tmp_path / "redis") as joined:
        lost = joined.owner(tagged(TENANTS[0].name, "open"))

        def die() -> None:
            lost.kill()
            if empty:
                for file in lost.folder.glob("appendonly*"):
                    file.unlink()
            lost.start()
            joined.until_whole()

        play(joined.url, tmp_path, die)


def test_without_one_node_of_a_cluster_the_tenants_of_the_others_are_served(tmp_path: Path) -> None:
    with cluster(tmp_path / "redis") as joined:
        owners = {tenant.name: joined.owner(tagged(tenant.name, "open")) for tenant in TENANTS}
        directory = joined.owner("tollgate:{!directory}:state")
        fleet = joined.owner("tollgate:{!fleet}:beats")
        lost = next(node for node in joined.nodes if node not in (directory, fleet))
        there = [name for name, node in owners.items() if node is not lost]
        assert there
        assert len(there) < len(owners)

        async def run() -> None:
            state = await open_state(joined.url + "?timeout_ms=1000", f"sqlite:///{tmp_path}/ledger.db")
            try:
                await begun(state)
                lost.kill()
                for name in there:
                    assert await sooner_or_later(partial(standing, state, name)) == (10, 10)
                    await sooner_or_later(partial(state.budgets.hold, hold(state, name, "more")))
            finally:
                await state.close()

        asyncio.run(run())
