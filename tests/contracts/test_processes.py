"""Several processes on one store, and what is left when one is killed."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from gateway.state import State
from gateway.state.owners import alive
from tests.contracts.places import Place
from tests.contracts.process import TOKENS

ROOT = Path(__file__).parents[2]


@contextmanager
def process(what: str, place: Place, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A process of `process.py`; killed at the end."""
    command = [sys.executable, "-m", "tests.contracts.process", what, place.url, place.ledger, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


async def on(place: Place, scenario: Callable[[State], Awaitable[None]]) -> None:
    state = await place.open()
    try:
        await scenario(state)
    finally:
        await state.close()


def said(running: "subprocess.Popen[str]") -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def tell(running: "subprocess.Popen[str]") -> None:
    assert running.stdin is not None
    running.stdin.write("\n")
    running.stdin.flush()


def test_a_killed_process_has_its_hold_settled_at_the_checkpoint(shared_place: Place) -> None:
    async def look(state: State) -> None:
        assert await state.budgets.recover(alive) == []
        running.kill()
        running.wait()
        assert await state.budgets.recover(alive) == ["mid-stream"]
        (balance,) = await state.budgets.balances("acme", "k1", [TOKENS], [], time.time())
        assert (balance.used, balance.held) == (4, 0)

    with process("hold", shared_place) as running:
        assert said(running) == "held"
        asyncio.run(on(shared_place, look))


@pytest.mark.parametrize("rows", [1, 40, 300])
def test_a_killed_process_loses_no_row_that_it_acknowledged(shared_place: Place, rows: int) -> None:
    async def look(state: State) -> None:
        found = await state.journal.latest(1_000_000)
        assert {row["request_id"] for row in found} >= set(acknowledged)
        (total,) = await state.journal.usage([], 0.0, 2.0)
        assert total["requests"] == len(found)

    with process("write", shared_place) as running:
        acknowledged = [said(running) for _ in range(rows)]
        running.kill()
        assert running.stdout is not None
        acknowledged += [line.strip() for line in running.stdout.readlines() if line.endswith("\n")]
    assert all(acknowledged)
    asyncio.run(on(shared_place, look))


def test_a_killed_process_loses_no_answer_that_it_acknowledged(shared_place: Place) -> None:
    async def look(state: State) -> None:
        found = [key async for page in state.answers.vectors("p", time.time()) for key, _ in page]
        assert set(found) >= set(acknowledged)
        assert await state.answers.count() == len(found) == await state.answers.purge("acme")

    with process("put", shared_place) as running:
        acknowledged = [said(running) for _ in range(40)]
        running.kill()
        assert running.stdout is not None
        acknowledged += [line.strip() for line in running.stdout.readlines() if line.endswith("\n")]
    assert all(acknowledged)
    asyncio.run(on(shared_place, look))


def test_processes_that_race_for_a_budget_share_it_exactly(shared_place: Place) -> None:
    """Four of them, on a store that none has made yet."""

    async def look(state: State) -> None:
        (balance,) = await state.budgets.balances("acme", "k1", [TOKENS], [], time.time())
        assert (balance.used, balance.held) == (0, TOKENS.amount)
        assert len(await state.budgets.open_holds()) == TOKENS.amount

    with ExitStack() as stack:
        racers = [stack.enter_context(process("race", shared_place, name, "40")) for name in "abcd"]
        assert [said(racer) for racer in racers] == ["ready"] * 4
        for racer in racers:
            tell(racer)
        assert sum(int(said(racer)) for racer in racers) == TOKENS.amount
    asyncio.run(on(shared_place, look))
