"""Tenants and keys, the same over every store."""

import asyncio
from dataclasses import replace

import pytest

from gateway.state import Change, Key, Limit, Scopes, State, Tenant
from tests.contracts.conftest import Play

LIMITS = (Limit("tokens", "day", 100_000), Limit("usd", "month", 12_345_678_901))
ACME = Tenant("acme", LIMITS, created=10.5, zone="Europe/Berlin")
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


def test_a_key_keeps_its_label_and_scopes(play: Play) -> None:
    scopes = [
        Scopes(("small", "gpt-*"), ("support/*",), (), {"feature": "search", "ü": '"x"'}),
        Scopes(collections=("docs",)),
        Scopes(access=("hr", "hr/pay ü")),
        Scopes((), (), ()),
    ]

    async def scenario(state: State) -> None:
        await state.keys.add_tenant(ACME)
        kept = [replace(KEY, id=f"k{number}", label="für Übung", scopes=one) for number, one in enumerate(scopes)]
        for key in kept:
            await state.keys.add_key(key)
            assert await state.keys.find(key.id) == (key, ACME)
        assert await state.keys.keys("acme") == kept

    play(scenario)


def test_a_tenants_limits_are_replaced(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.keys.add_tenant(ACME)
        await state.keys.add_key(KEY)
        assert not await state.keys.set_limits("nobody", LIMITS)
        limits = (Limit("requests", "day", 5),)
        assert await state.keys.set_limits("acme", limits)
        assert await state.keys.tenant("acme") == replace(ACME, limits=limits)
        assert await state.keys.find("k1") == (KEY, replace(ACME, limits=limits))
        assert await state.keys.set_limits("acme", ())
        assert await state.keys.tenant("acme") == replace(ACME, limits=())

    play(scenario)


def test_the_first_revocation_stands(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.keys.add_tenant(ACME)
        await state.keys.add_key(KEY)
        assert not await state.keys.revoke("k2", 50.0)
        assert await state.keys.revoke("k1", 50.5)
        assert await state.keys.revoke("k1", 60.0)
        assert await state.keys.find("k1") == (replace(KEY, revoked=50.5), ACME)
        assert len(await state.keys.changes(9, "k1")) == 2

    play(scenario)


def test_a_key_ends_when_it_is_told_to_or_sooner(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.keys.add_tenant(ACME)
        await state.keys.add_key(KEY)  # ends at 99.5
        await state.keys.add_key(replace(KEY, id="endless", expires=None))
        assert not await state.keys.expire("k2", 50.0)
        for key_id, asked, ends in (("k1", 120.0, 99.5), ("k1", 50.5, 50.5), ("k1", 60.0, 50.5), ("endless", 7.0, 7.0)):
            assert await state.keys.expire(key_id, asked)
            found = await state.keys.find(key_id)
            assert found is not None
            assert found[0].expires == ends
        assert [change.detail for change in await state.keys.changes(9, "k1")][:-1] == [{"expires": 50.5}]

    play(scenario)


def test_each_change_is_audited(play: Play) -> None:
    key = replace(KEY, label="batch", scopes=Scopes(models=("small",), tags={"team": "a"}, access=("hr",)))

    async def scenario(state: State) -> None:
        began = state.clock.now()
        await state.keys.add_tenant(ACME, "admin")
        await state.keys.set_limits("acme", (Limit("usd", "day", 500_000_000),), "cli:ann")
        await state.keys.add_key(key, "admin")
        await state.keys.expire("k1", 98.5, "admin")
        await state.keys.revoke("k1", 60.25)
        changes = await state.keys.changes(10)
        assert [(change.by, change.action, change.subject, change.detail) for change in reversed(changes)] == [
            ("admin", "tenant.create", "acme", {
                "limits": ["tokens/day=100000", "usd/month=12.345678901"], "zone": "Europe/Berlin",
            }),
            ("cli:ann", "tenant.limits", "acme", {"limits": ["usd/day=0.5"]}),
            ("admin", "key.create", "k1", {
                "tenant": "acme", "label": "batch", "limits": ["requests/minute=60"], "expires": 99.5,
                "scopes": {"models": ["small"], "tags": {"team": "a"}, "access": ["hr"]},
            }),
            ("admin", "key.expire", "k1", {"expires": 98.5}),
            ("", "key.revoke", "k1", {"revoked": 60.25}),
        ]  # fmt: skip
        times = [began, *(change.at for change in reversed(changes)), state.clock.now()]
        assert times == sorted(times)
        assert await state.keys.changes(2) == changes[:2]
        assert await state.keys.changes(9, "acme") == changes[3:]
        assert await state.keys.changes(9, "unknown") == []

    play(scenario)


def test_what_changes_nothing_writes_no_row(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.keys.add_tenant(ACME)
        await state.keys.add_key(KEY)
        before = await state.keys.changes(10)
        assert not await state.keys.add_tenant(ACME, "again")
        assert not await state.keys.set_limits("nobody", LIMITS)
        assert not await state.keys.expire("nobody", 1.0)
        assert not await state.keys.revoke("nobody", 1.0)
        for key in (KEY, replace(KEY, id="k2", tenant="nobody")):
            with pytest.raises(ValueError, match=r"taken|no tenant"):
                await state.keys.add_key(key)
        assert await state.keys.changes(10) == before

    play(scenario)


def test_no_audit_row_holds_a_digest(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.keys.add_tenant(ACME)
        await state.keys.add_key(replace(KEY, digest=b"digest of a secret"))
        told = repr(await state.keys.changes(10))
        assert "digest" not in told
        assert b"digest of a secret".hex() not in told

    play(scenario)


def test_changes_at_once_are_all_there(play: Play) -> None:
    async def scenario(state: State) -> None:
        tenants = [Tenant(f"t{number}", (), 1.0) for number in range(20)]
        assert all(await asyncio.gather(*(state.keys.add_tenant(tenant, "admin") for tenant in tenants)))
        changes = await state.keys.changes(100)
        assert {change.subject for change in changes} == {tenant.name for tenant in tenants}
        assert all(isinstance(change, Change) for change in changes)
        assert len(changes) == 20

    play(scenario)
