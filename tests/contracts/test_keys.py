"""Tenants and keys, the same over every store."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.state import Key, Limit, State, Tenant
from tests.contracts.conftest import Scenario

Play = Callable[[Scenario], None]

LIMITS = (Limit("tokens", "day", 100_000), Limit("usd", "month", 12_345_678_901))
ACME = Tenant("acme", LIMITS, created=10.5)
KEY = Key("k1", "acme", bytes(range(32)), (Limit("requests", "minute", 60),), created=11.25, expires=99.5)


def test_a_tenant_is_added_once(play: Play) -> None:
    async def scenario(state: State) -> None:
        assert await state.keys.add_tenant(ACME)
        assert not await state.keys.add_tenant(replace(ACME, limits=()))
        assert await state.keys.tenant("acme") == ACME
        assert await state.keys.tenant("nobody") is None

    play(scenario)


def test_of_many_adding_one_tenant_at_once_one_succeeds(play: Play) -> None:
    async def scenario(state: State) -> None:
        added = await asyncio.gather(*(state.keys.add_tenant(ACME) for _ in range(20)))
        assert sum(added) == 1

    play(scenario)


def test_tenants_come_by_name(play: Play) -> None:
    async def scenario(state: State) -> None:
        for name in ("zeta", "acme", "Übung {x}:y"):
            await state.keys.add_tenant(Tenant(name, (), 1.0))
        assert [tenant.name for tenant in await state.keys.tenants()] == ["acme", "zeta", "Übung {x}:y"]

    play(scenario)


def test_a_key_is_found_with_its_tenant(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.keys.add_tenant(ACME)
        await state.keys.add_key(KEY)
        assert await state.keys.find("k1") == (KEY, ACME)
        assert await state.keys.find("k2") is None

    play(scenario)


def test_a_key_needs_a_tenant_and_a_free_id(play: Play) -> None:
    async def scenario(state: State) -> None:
        with pytest.raises(ValueError, match="no tenant 'acme'"):
            await state.keys.add_key(KEY)
        await state.keys.add_tenant(ACME)
        await state.keys.add_key(KEY)
        with pytest.raises(ValueError, match="taken"):
            await state.keys.add_key(replace(KEY, digest=b"another"))
        assert await state.keys.keys("acme") == [KEY]

    play(scenario)


def test_a_tenants_keys_come_oldest_first(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.keys.add_tenant(ACME)
        await state.keys.add_tenant(Tenant("other", (), 1.0))
        young, old = replace(KEY, id="a", created=2.0, revoked=3.0), replace(KEY, id="b", created=1.0)
        for key in (young, old, replace(KEY, id="c", tenant="other")):
            await state.keys.add_key(key)
        assert await state.keys.keys("acme") == [old, young]
        assert await state.keys.keys("nobody") == []

    play(scenario)


def test_the_first_revocation_stands(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.keys.add_tenant(ACME)
        await state.keys.add_key(KEY)
        assert not await state.keys.revoke("k2", 50.0)
        assert await state.keys.revoke("k1", 50.5)
        assert await state.keys.revoke("k1", 60.0)
        assert await state.keys.find("k1") == (replace(KEY, revoked=50.5), ACME)

    play(scenario)
