"""The clock that a file keeps. Somebody sets the wall clock: the test moves what the process believes of it.

Only what `time.time` says is replaced: the machine's own clock is not ours to set.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from gateway.state import Clock, owners
from gateway.state.clock import DRIFT_S, since_boot
from gateway.state.sqlite import meta, open_sqlite
from gateway.state.sqlite.database import Database

DAY = 86_400.0
Set = Callable[[float], None]


@pytest.fixture
def set_wall(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Sets the wall clock this many seconds ahead of the real one."""
    real = time.time

    def ahead(seconds: float) -> None:
        monkeypatch.setattr(Clock.__init__, "__defaults__", (None, lambda: real() + seconds, since_boot))

    return ahead


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "state.db")


def opened(path: str, trust_clock: bool = False) -> Clock:
    async def run() -> Clock:
        state = await open_sqlite(path, trust_clock)
        await state.close()
        return state.clock

    return asyncio.run(run())


def off(clock: Clock) -> float:
    """How far it is ahead of the machine's real wall clock."""
    return clock.now() - time.time()


@pytest.mark.parametrize("step", [DAY, -DAY, 3600.0, -3600.0, DRIFT_S + 1, -DRIFT_S - 1])
def test_a_restart_after_the_clock_was_set_keeps_the_time(
    path: str, set_wall: Set, step: float, caplog: pytest.LogCaptureFixture
) -> None:
    first = opened(path)
    assert caplog.messages == []
    set_wall(step)
    assert opened(path).anchor == first.anchor
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert f"{abs(step):.0f} s {'ahead' if step > 0 else 'back'}" in warning.getMessage()
    assert "tollgate serve --trust-clock" in warning.getMessage()


@pytest.mark.parametrize("step", [DAY, -DAY])
def test_the_operator_can_take_the_wall_clock_over(
    path: str, set_wall: Set, step: float, caplog: pytest.LogCaptureFixture
) -> None:
    opened(path)
    set_wall(step)
    assert abs(off(opened(path, trust_clock=True)) - step) < 60
    assert abs(off(opened(path)) - step) < 60, "it was not kept"
    assert caplog.messages == []


def test_a_small_correction_is_taken_over_forwards_and_waited_for_backwards(path: str, set_wall: Set) -> None:
    first = opened(path)
    set_wall(-DRIFT_S / 2)
    assert opened(path).anchor == first.anchor
    set_wall(DRIFT_S / 2)
    ahead = opened(path)
    assert 0 < ahead.anchor - first.anchor < DRIFT_S
    set_wall(0)
    assert opened(path).anchor == ahead.anchor


def rebooted(path: str, anchor: float, boot: str) -> None:
    """As if the file came from another boot."""

    async def run() -> None:
        database = await Database.open(path)
        await meta.put(database, "clock", json.dumps({"boot": boot, "anchor": anchor}))
        await database.close()

    asyncio.run(run())


def test_another_boot_begins_with_the_wall_clock(path: str) -> None:
    anchor = opened(path).anchor - 7 * DAY
    rebooted(path, anchor, "11111111-2222-3333-4444-555555555555")
    assert abs(off(opened(path))) < 60
    rebooted(path, anchor, owners.boot())
    assert opened(path).anchor == anchor


def test_where_no_boot_has_a_name_each_start_takes_the_wall_clock(
    path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(owners, "_PROC", tmp_path / "absent")
    rebooted(path, 0.0, "")
    assert abs(off(opened(path))) < 60


def test_two_on_one_file_tell_the_same_time(path: str) -> None:
    async def run() -> None:
        states = [await open_sqlite(path) for _ in range(2)]
        first, second = (state.clock.now() for state in states)
        assert abs(second - first) < 60
        assert len({round(state.clock.anchor, 1) for state in states}) == 1
        await asyncio.gather(*(state.close() for state in states))

    asyncio.run(run())


def test_memory_has_a_clock_too() -> None:
    assert abs(off(opened(":memory:"))) < 60


def test_meta_keeps_one_value_a_name(path: str) -> None:
    async def run() -> None:
        database = await Database.open(path)
        get, put = partial(meta.get, database), partial(meta.put, database)
        assert await get("node") is None
        await put("node", "a")
        await put("other", "x")
        await put("node", "b")
        assert (await get("node"), await get("other")) == ("b", "x")
        await database.close()

    asyncio.run(run())
