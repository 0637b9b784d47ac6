"""Settlements whose request is cancelled meanwhile, and whose store hangs, refuses or is away.

The store is a real file, kept busy by another connection's transaction.
"""

import asyncio

import pytest

from gateway import shielded
from gateway.errors import Wire
from gateway.exchange import Call
from gateway.shielded import background, drained, insisted
from gateway.state import StateUnavailable
from gateway.state.sqlite import schema
from tests.fakes.backend import HANG, Script, last, piece, words
from tests.gateway.assembled import Assembled
from tests.gateway.calls import call
from tests.gateway.conftest import Make
from tests.gateway.waiting import WAIT_S, locked, reached, until, waited

SLOW = Script((*words("a", "b"), 0.5, piece({}, 2, "stop"), last(2), b"data: [DONE]\n\n"))


def cancelled_once_checked(gateway: Assembled, asked: Call) -> None:
    """Cancel the reading task while a write after the last event waits for the locked store, twice; then unlock."""

    async def scenario() -> None:
        task = asyncio.ensure_future(gateway.reading(asked))
        await until(lambda: reached(asked, "route"))
        with locked(gateway.runtime):
            await until(lambda: reached(asked, "check"))
            await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.sleep(0.1)
            assert not task.done()
        with pytest.raises(asyncio.CancelledError):
            await task

    gateway.do(scenario())


@pytest.mark.parametrize("cache", ["skip", "use"])
def test_a_task_cancelled_after_the_last_event_is_settled_as_a_success(core: Assembled, cache: str) -> None:
    """During the settlement itself (`skip`), and while its answer is being kept (`use`)."""
    core.fake.plan(SLOW)
    asked = call(cache=cache)
    cancelled_once_checked(core, asked)
    row = core.row(asked)
    assert (row["status"], row["error"], row["output_tokens"]) == (200, None, 2)
    core.assert_settled(asked)


def test_a_settlement_waits_for_a_hanging_store_so_long_and_no_longer(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "BUSY", 3600.0)  # it hangs, and does not refuse
    monkeypatch.setattr(shielded, "SETTLE_S", 0.2)
    gateway = make()
    gateway.fake.plan(SLOW)
    asked = call(cache="skip")

    async def scenario() -> str:
        task = asyncio.ensure_future(gateway.reading(asked))
        await until(lambda: reached(asked, "route"))
        with locked(gateway.runtime):
            return (await asyncio.wait_for(task, WAIT_S / 2)).text

    assert gateway.do(scenario()) == "ab"
    waited(lambda: gateway.holds() == [])  # the write itself was never given up
    waited(lambda: gateway.do(gateway.runtime.state.journal.read(asked.request_id)) is not None)
    gateway.assert_settled(asked)


def test_a_settlement_that_the_store_refuses_is_tried_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "BUSY", 0.05)  # how long SQLite waits for the lock before it refuses
    monkeypatch.setattr(shielded, "AGAIN_S", (0.01, 0.1))  # the last one again and again
    gateway = make()
    gateway.fake.plan(SLOW)
    asked = call(cache="skip")

    async def scenario() -> str:
        task = asyncio.ensure_future(gateway.reading(asked))
        await until(lambda: reached(asked, "route"))
        with locked(gateway.runtime):
            return (await task).text

    assert gateway.do(scenario()) == "ab"
    waited(lambda: gateway.holds() == [])
    waited(lambda: gateway.do(gateway.runtime.state.journal.read(asked.request_id)) is not None)
    gateway.assert_settled(asked)


def test_what_waits_for_the_store_is_bounded(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(shielded, "MOST", len(shielded._running))

    async def away() -> None:
        raise StateUnavailable("away")

    async def scenario() -> None:
        await shielded.insisted(away, "a row")

    asyncio.run(scenario())
    assert "it is given up" in caplog.text


def test_between_two_tries_a_store_has_time_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shielded, "AGAIN_S", (0.01,) * 1000)

    async def scenario() -> None:
        back, written = asyncio.Event(), asyncio.Event()

        async def write() -> None:
            if not back.is_set():
                raise StateUnavailable("the store is away")
            written.set()

        asyncio.get_running_loop().call_later(0.05, back.set)
        await insisted(write, "a row")
        assert not written.is_set()
        await drained()
        assert written.is_set()

    asyncio.run(scenario())


def test_a_stop_waits_for_what_runs_in_the_background() -> None:
    async def scenario() -> None:
        task = background(asyncio.sleep(0.05))
        await drained()
        assert task.done()

    asyncio.run(scenario())


def test_what_fails_in_the_background_is_logged_by_its_class_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("what somebody said")

    async def scenario() -> None:
        background(fail())
        await drained()

    asyncio.run(scenario())
    assert "failed: ValueError" in caplog.text
    assert "somebody" not in caplog.text


def test_a_store_that_is_away_admits_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shielded, "SETTLE_S", 0.1)  # what the end of the gateway waits for it
    gateway = make()
    gateway.do(gateway.runtime.state.close())
    error = gateway.ask(cache="skip").error
    assert error is not None
    assert (Wire.of(error, "r").status, Wire.of(error, "r").code) == (503, "state_unavailable")
    assert gateway.chats() == []


def test_a_client_cannot_cancel_its_settlement(core: Assembled) -> None:
    """It left in the middle and is settled in its task's last moments; another cancellation does not stop that."""
    core.fake.plan(Script((*words("a", "b"), HANG)))
    asked = call()

    async def scenario() -> None:
        task = asyncio.ensure_future(core.reading(asked))
        await until(lambda: reached(asked, "route"))
        with locked(core.runtime):
            for _ in range(2):
                await asyncio.sleep(0.1)
                task.cancel()
            await asyncio.sleep(0.1)
            assert not task.done()
        with pytest.raises(asyncio.CancelledError):
            await task

    core.do(scenario())
    assert core.row(asked)["status"] == 499
    core.assert_settled(asked)
