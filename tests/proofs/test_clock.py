"""Whoever sets the machine's clock reopens no spent budget and closes no open one, running or restarted."""

import asyncio
from pathlib import Path

import pytest

from tests.fakes.backend import FakeBackend
from tests.harness.audit import Evidence
from tests.harness.books import read
from tests.harness.client import Reply, chat
from tests.harness.counting import ASKED
from tests.harness.gateway import Gateway, serving
from tests.harness.plugin import Audited
from tests.harness.wall import NOON, Wall, set_state

BODY = {"model": "small", "messages": ASKED, "max_tokens": 8}
DAY, HOUR = 86_400.0, 3_600.0
STEPS = (DAY, -DAY, 40 * DAY, -HOUR, HOUR)


def asked(gateway: Gateway, key: str, replies: list[Reply]) -> tuple[int, str | None]:
    replies.append(asyncio.run(chat(gateway.url, key, BODY)))
    return replies[-1].status, replies[-1].code


SPENT = (429, "budget_exceeded")


def test_steps_of_the_wall_clock(tmp_path: Path, fake: FakeBackend, audited: Audited) -> None:
    """The open budget admits exactly as many as it has left, one a step, and then no more."""
    set_state(tmp_path / "state.db", NOON)
    wall, replies = Wall(tmp_path), list[Reply]()
    audited(lambda: read(tmp_path / "state.db"), lambda: Evidence(fake.chats(), replies))
    with serving(tmp_path, fake.url, f"sqlite:///{tmp_path}/state.db", environment=wall.environment) as gateway:
        spent = gateway.key("spent", "requests/day=1", "requests/month=1")
        left = gateway.key("left", f"requests/day={len(STEPS)}", f"requests/month={len(STEPS)}")
        assert asked(gateway, spent, replies) == (200, None)
        for step in STEPS:
            wall.step(step)
            assert asked(gateway, spent, replies) == SPENT
            assert asked(gateway, left, replies) == (200, None)
        gateway.kill()
        gateway.start()  # a day ahead, and the clock of the state goes on
        assert asked(gateway, spent, replies) == SPENT
        assert asked(gateway, left, replies) == SPENT


# Berlin's clocks go back at 01:00 UTC on 25 October 2026, and ahead at 01:00 UTC on 28 March 2027.
@pytest.mark.prove  # the windows themselves: tests/gateway/state/test_windows.py
@pytest.mark.parametrize("change", [1_792_890_000, 1_806_195_600])
def test_a_change_to_and_from_summer_time(tmp_path: Path, fake: FakeBackend, audited: Audited, change: int) -> None:
    """It is stopped before the change and started after it, on the same day."""
    replies: list[Reply] = []
    audited(lambda: read(tmp_path / "state.db"), lambda: Evidence(fake.chats(), replies))
    set_state(tmp_path / "state.db", change - HOUR / 2)
    with serving(tmp_path, fake.url, f"sqlite:///{tmp_path}/state.db") as gateway:
        key = gateway.key("berlin", "requests/day=2", zone="Europe/Berlin")
        assert asked(gateway, key, replies) == (200, None)
        gateway.kill()
        set_state(tmp_path / "state.db", change + HOUR / 2)
        gateway.start()
        assert asked(gateway, key, replies) == (200, None)
        assert asked(gateway, key, replies) == SPENT
    (day,) = read(tmp_path / "state.db").accounts
    assert (day.used, day.end - day.start in (23 * HOUR, 25 * HOUR)) == (2, True)
