"""Schemas that are meant to stall: each is refused or checked within the deadline, and all else goes on meanwhile."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from gateway.errors import InvalidValue
from gateway.schemas import Schemas
from gateway.schemas.validators import Judged
from tests.gateway.schemas.hostile import CHECKED, REFUSED, branching, deep, text

TICK_S = 0.01
MISSED = 200  # ticks in a row; what is slow here takes minutes or all memory where nothing bounds it


@pytest.fixture(scope="module")
def schemas() -> Schemas:
    return Schemas(deadline_s=0.3)


async def _missed(work: Coroutine[Any, Any, Judged]) -> tuple[Judged | BaseException, int]:
    """What came of it, and the most ticks that a clock on the same event loop missed in a row."""
    longest = 0.0

    async def clock() -> None:
        nonlocal longest
        last = time.perf_counter()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    ticking = asyncio.create_task(clock())
    await asyncio.sleep(TICK_S)
    results = await asyncio.gather(work, return_exceptions=True)
    await asyncio.sleep(2 * TICK_S)
    ticking.cancel()
    return results[0], int(longest / TICK_S) - 1


@pytest.mark.parametrize("name", CHECKED)
def test_what_is_checked_is_checked_in_time_and_nothing_else_waits(schemas: Schemas, name: str) -> None:
    schema, value = CHECKED[name]
    found, missed = asyncio.run(_missed(schemas.judged(schema, text(value))))
    assert not isinstance(found, BaseException)
    assert missed < MISSED


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_too_much_is_refused_with_its_numbers_and_nothing_else_waits(schemas: Schemas, name: str) -> None:
    schema, why = REFUSED[name]
    refusal, missed = asyncio.run(_missed(schemas.judged(schema, "1")))
    assert isinstance(refusal, InvalidValue)
    assert why in refusal.message
    assert missed < MISSED


def test_an_innocent_check_goes_on_beside_a_hostile_one(schemas: Schemas) -> None:
    async def beside() -> tuple[bool, bool]:
        hostile = asyncio.create_task(schemas.judged(branching(), text(deep(40))))
        await asyncio.sleep(TICK_S)
        innocent = await schemas.judged({"type": "integer"}, "1")
        return not innocent.faults, not hostile.done()

    assert asyncio.run(beside()) == (True, True)
