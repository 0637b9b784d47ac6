"""The access log: lines are written together, soon, and all of them."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from gateway.api.access import MOST, AccessLog
from tests.gateway.api.logged import lines, listened, records
from tests.gateway.waiting import until


def noted(script: Callable[[AccessLog], None], caplog: pytest.LogCaptureFixture, count: int) -> None:
    """Runs the script in a loop until `count` lines are written."""
    listened(caplog)

    async def run() -> None:
        script(AccessLog())
        await until(lambda: len(lines(caplog, here=True)) >= count)

    asyncio.run(run())


def test_the_lines_of_a_moment_are_one_record_and_each_has_its_own_time(caplog: pytest.LogCaptureFixture) -> None:
    def script(log: AccessLog) -> None:
        for path in ("/a", "/b"):
            log.note(path=path, error=None)
        assert not records(caplog, here=True)

    before = datetime.now(UTC)
    noted(script, caplog, 2)
    assert [len(together) for together in records(caplog, here=True)] == [2]
    first, second = lines(caplog, here=True)
    assert [set(line) for line in (first, second)] == [{"at", "process", "path"}] * 2  # nothing of what is None
    assert (first["path"], first["process"], second["path"]) == ("/a", os.getpid(), "/b")
    assert before <= datetime.fromisoformat(first["at"]) <= datetime.fromisoformat(second["at"])


def test_what_comes_after_a_record_is_the_next_one(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        log = AccessLog()
        for number in range(3):
            log.note(status=number)
            await until(lambda written=number + 1: len(records(caplog, here=True)) == written)  # type: ignore[misc]

    listened(caplog)
    asyncio.run(run())
    assert [line["status"] for line in lines(caplog, here=True)] == [0, 1, 2]


def test_a_busy_loop_keeps_no_more_than_a_bound(caplog: pytest.LogCaptureFixture) -> None:
    def script(log: AccessLog) -> None:
        for number in range(2 * MOST + 1):
            log.note(status=number)
        assert [len(together) for together in records(caplog, here=True)] == [MOST, MOST]

    noted(script, caplog, 2 * MOST + 1)
    assert [line["status"] for line in lines(caplog, here=True)] == list(range(2 * MOST + 1))


def test_a_stop_writes_what_is_left_and_whatever_still_comes(caplog: pytest.LogCaptureFixture) -> None:
    def script(log: AccessLog) -> None:
        log.note(status=1)
        log.close()
        log.note(status=2)
        assert [line["status"] for line in lines(caplog, here=True)] == [1, 2]

    noted(script, caplog, 2)
