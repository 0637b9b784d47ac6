"""Making and replacing keys, on a real store."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

import pytest

from gateway.keyring import (
    KeyEnded,
    alive,
    checked_label,
    checked_overlap,
    digest,
    issue,
    mint,
    rotate,
)
from gateway.state import Key, Limit, Scopes, State, Tenant
from gateway.state.open import open_state

LIMITS = (Limit("requests", "minute", 3),)
SCOPES = Scopes(("small",), ("support/*",), (), {"feature": "search"})


def on_store(work: Callable[[State], Awaitable[None]]) -> None:
    async def run() -> None:
        state = await open_state("sqlite://:memory:")
        try:
            await state.keys.add_tenant(Tenant("acme", (), 0.0))
            await work(state)
        finally:
            await state.close()

    asyncio.run(run())


async def stored(state: State, key_id: str) -> Key:
    found = await state.keys.find(key_id)
    assert found is not None
    return found[0]


def test_a_minted_key_is_random_whole_and_kept_as_a_digest() -> None:
    key_id, secret, full = mint()
    assert full == f"tg_{key_id}_{secret}"
    assert len(bytes.fromhex(secret)) * 8 == 256
    assert digest(secret) == hashlib.sha256(secret.encode()).digest()
    assert len({mint()[part] for _ in range(100) for part in (0, 1)}) == 200


def test_an_issued_key_is_stored_with_all_that_was_asked_and_without_its_secret() -> None:
    async def work(state: State) -> None:
        issued = await issue(state.keys, "me", "acme", 5.0, LIMITS, 9.0, "search team", SCOPES)
        _, key_id, secret = issued.full.split("_")
        assert issued.key == Key(key_id, "acme", digest(secret), LIMITS, 5.0, 9.0, None, "search team", SCOPES)
        assert await stored(state, key_id) == issued.key
        assert secret not in repr(issued)
        (change,) = await state.keys.changes(1)
        assert (change.by, change.subject) == ("me", key_id)
        assert secret not in repr(change)

    on_store(work)


def test_a_key_of_nobody_is_refused() -> None:
    async def work(state: State) -> None:
        with pytest.raises(ValueError, match="nobody"):
            await issue(state.keys, "me", "nobody", 0.0)

    on_store(work)


def test_a_rotated_key_hands_everything_over_and_ends_at_once() -> None:
    async def work(state: State) -> None:
        old = (await issue(state.keys, "me", "acme", 5.0, LIMITS, 90.0, "search team", SCOPES)).key
        new = (await rotate(state.keys, "me", old, 20.0, 0)).key
        assert (new.tenant, new.limits, new.expires, new.label, new.scopes) == (
            old.tenant, old.limits, old.expires, old.label, old.scopes,
        )  # fmt: skip
        assert new.id != old.id
        assert new.digest != old.digest
        assert new.created == 20.0
        assert (await stored(state, old.id)).revoked == 20.0
        assert alive(await stored(state, new.id), 21.0)

    on_store(work)


def test_with_an_overlap_the_old_key_goes_on_for_as_long() -> None:
    async def work(state: State) -> None:
        old = (await issue(state.keys, "me", "acme", 5.0)).key
        await rotate(state.keys, "me", old, 20.0, 0.5)
        left = await stored(state, old.id)
        assert (left.revoked, left.expires) == (None, 20.5)
        assert alive(left, 20.4)
        assert not alive(left, 20.5)

    on_store(work)


def test_an_overlap_never_lengthens_a_keys_life() -> None:
    async def work(state: State) -> None:
        old = (await issue(state.keys, "me", "acme", 5.0, expires=30.0)).key
        await rotate(state.keys, "me", old, 20.0, 60.0)
        assert (await stored(state, old.id)).expires == 30.0

    on_store(work)


def test_what_has_ended_is_not_rotated() -> None:
    async def work(state: State) -> None:
        expired = (await issue(state.keys, "me", "acme", 5.0, expires=10.0)).key
        revoked = (await issue(state.keys, "me", "acme", 5.0)).key
        await state.keys.revoke(revoked.id, 10.0)
        for ended in (expired, await stored(state, revoked.id)):
            with pytest.raises(KeyEnded, match=ended.id):
                await rotate(state.keys, "me", ended, 10.0, 0)
        assert len(await state.keys.keys("acme")) == 2

    on_store(work)


def test_labels_have_bounds() -> None:
    assert checked_label("Suche, Büro 3") == "Suche, Büro 3"
    assert checked_label("x" * 128)
    for label in ("x" * 129, "a\nb", "\x1b[2J"):
        with pytest.raises(ValueError, match="128"):
            checked_label(label)


def test_overlaps_have_bounds() -> None:
    longest = 90 * 86_400.0
    for seconds in (0, 0.5, longest):
        assert checked_overlap(seconds) == seconds
    for wrong in (-1, longest + 1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="90 days"):
            checked_overlap(wrong)
