"""Remembered keys on a real store, and a clock that the test moves."""

import asyncio
from pathlib import Path

from gateway.state import Key, State, Tenant
from gateway.state.open import open_state
from gateway.state.recent import MOST, RecentKeys


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def opened(folder: Path, *key_ids: str) -> State:
    state = await open_state(f"sqlite:///{folder}/state.db")
    await state.keys.add_tenant(Tenant("acme", (), 0.0))
    for key_id in key_ids:
        await state.keys.add_key(Key(key_id, "acme", b"digest", (), 0.0))
    return state


async def revoked(recent: RecentKeys, key_id: str) -> float | None:
    found = await recent.find(key_id)
    assert found is not None
    return found[0].revoked


def test_a_key_revoked_elsewhere_is_noticed_within_a_second(tmp_path: Path) -> None:
    async def run() -> None:
        state, clock = await opened(tmp_path, "k"), Clock()
        recent = RecentKeys(state.keys, clock)
        assert await revoked(recent, "k") is None
        await state.keys.revoke("k", 1.0)
        clock.now += 0.49
        assert await revoked(recent, "k") is None, "it was looked up again too soon"
        clock.now += 0.01
        assert await revoked(recent, "k") == 1.0
        await state.close()

    asyncio.run(run())


def test_a_forgotten_key_is_looked_up_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        state = await opened(tmp_path, "k", "other")
        recent = RecentKeys(state.keys, Clock())
        assert await revoked(recent, "k") is None
        await state.keys.revoke("k", 1.0)
        recent.forget("k")
        assert await revoked(recent, "k") == 1.0
        await state.close()

    asyncio.run(run())


def test_what_was_being_read_while_a_key_was_revoked_is_not_remembered(tmp_path: Path) -> None:
    async def run() -> None:
        state = await opened(tmp_path, "k")
        recent = RecentKeys(state.keys, Clock())
        reading = asyncio.ensure_future(recent.find("k"))
        await asyncio.sleep(0)  # the look-up has begun, its thread's answer cannot have come
        recent.forget("k")
        await reading
        await state.keys.revoke("k", 1.0)
        assert await revoked(recent, "k") == 1.0
        await state.close()

    asyncio.run(run())


def test_an_unknown_key_is_found_as_soon_as_it_is_made(tmp_path: Path) -> None:
    async def run() -> None:
        state = await opened(tmp_path)
        recent = RecentKeys(state.keys, Clock())
        assert await recent.find("k") is None
        assert recent.latest == ""
        await state.keys.add_key(Key("k", "acme", b"digest", (), 0.0))
        assert await revoked(recent, "k") is None
        assert recent.latest == "k"
        await state.close()

    asyncio.run(run())


def test_memory_is_bounded(tmp_path: Path) -> None:
    async def run() -> None:
        state = await opened(tmp_path, "first", "last")
        recent = RecentKeys(state.keys, Clock())
        first = await recent.find("first")
        assert first is not None
        for number in range(MOST - 1):
            recent._remember(str(number), 100.0, first)
        assert len(recent._found) == MOST
        await recent.find("last")
        assert len(recent._found) == 1
        await state.close()

    asyncio.run(run())
