"""A client that leaves, at every moment of its call, and a gateway that is killed: who pays for what."""

import asyncio
import json
import math
import sqlite3
import subprocess
import sys
from contextlib import aclosing, closing
from pathlib import Path

import pytest

from gateway.checkpoints import CHECKPOINT_TOKENS
from gateway.exchange import Call, Retrieval
from gateway.shielded import drained
from gateway.state import Balance, Hold
from tests.fakes.backend import HANG, FakeBackend, Script, Step, piece, words
from tests.fakes.background import running
from tests.gateway.assembled import ROOT, Assembled, given
from tests.gateway.calls import call, caller
from tests.gateway.conftest import Make
from tests.gateway.waiting import WAIT_S, locked, reached, until, waited

PROMPT = 13  # tokens, as the scripted backend counts every prompt
ONE = PROMPT + CHECKPOINT_TOKENS  # where the first checkpoint after the prompt's is due


def test_a_client_that_leaves_before_the_first_event_pays_its_prompt(core: Assembled) -> None:
    core.fake.plan(Script((HANG,)))
    asked = call()
    sent = len(core.chats())

    async def leave() -> None:
        task = asyncio.ensure_future(core.reading(asked))
        await until(lambda: len(core.chats()) > sent)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await core.chats()[-1].over.wait()

    core.do(leave())
    assert core.chats()[-1].left_early
    row = core.row(asked)
    assert (row["status"], row["error"], row["input_tokens"], row["output_tokens"]) == (499, "client_left", PROMPT, 0)
    core.assert_settled(asked)


def test_a_client_that_leaves_before_anything_was_sent_pays_nothing(core: Assembled) -> None:
    """It leaves while its hold is being written: the hold may stand, so it is settled, at nothing."""
    asked = call()

    async def leave() -> None:
        task = asyncio.ensure_future(core.reading(asked))
        with locked(core.runtime):
            await until(lambda: reached(asked, "cache"))
            await asyncio.sleep(0.1)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    sent = len(core.chats())
    core.do(leave())
    assert len(core.chats()) == sent
    assert {(balance.held, balance.used) for balance in core.balances(asked.caller).values()} == {(0, 0)}
    row = core.row(asked)
    assert (row["status"], row["input_tokens"]) == (499, 0)
    assert core.holds() == []


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_client_that_leaves_in_the_middle_pays_the_tokens_seen(core: Assembled, cancelled: bool) -> None:
    """It closes the stream, or its task is cancelled: both end the backend's work."""
    core.fake.plan(Script((*words("a", "b", "c"), HANG)))
    asked = call()

    async def leave() -> None:
        if not cancelled:
            await core.leaving(asked, 4)
            return
        seen = asyncio.Event()

        async def read() -> None:
            async with aclosing(core.runtime.pipeline.run(asked)) as answers:
                await given(answers, 4)
                seen.set()
                await anext(answers)

        task = asyncio.ensure_future(read())
        await seen.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    core.do(leave())
    row = core.row(asked)
    assert (row["status"], row["error"], row["input_tokens"], row["output_tokens"]) == (499, "client_left", PROMPT, 3)
    core.assert_settled(asked)
    waited(lambda: core.chats()[-1].left_early)


def test_a_client_that_leaves_right_after_the_last_event_has_succeeded(core: Assembled) -> None:
    asked = call()
    core.do(core.leaving(asked, 4))  # Opened, two deltas, Closed
    assert (core.row(asked)["status"], core.row(asked)["output_tokens"]) == (200, 2)
    core.assert_settled(asked)


def noted(gateway: Assembled, asked: Call) -> dict[str, int]:
    """What a call has used by its last checkpoint."""
    with closing(sqlite3.connect(gateway.runtime.settings.state.url.removeprefix("sqlite:///"))) as file:
        (spent,) = file.execute("SELECT spent FROM holds WHERE request_id = ?", (asked.request_id,)).fetchone()
    return dict(json.loads(spent))


def test_a_prompt_is_on_file_before_it_leaves(core: Assembled) -> None:
    """Should the process die now, it is charged: the engine reads it. What the backend sees, the file knows already."""
    core.fake.plan(Script((HANG,)))
    asked, sent = call(cache="skip"), len(core.chats())

    async def leave() -> None:
        task = asyncio.ensure_future(core.reading(asked))
        await until(lambda: len(core.chats()) > sent)
        assert noted(core, asked)["tokens"] == PROMPT
        task.cancel()
        await asyncio.wait([task])

    core.do(leave())
    core.assert_settled(asked)


def test_a_prompt_with_passages_is_noted_when_it_leaves(core: Assembled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before: to find them takes time, in which nothing was sent yet."""
    core.fake.plan(Script((HANG,)))
    asked, sent, held = call(retrieve=Retrieval("docs")), len(core.chats()), list[Hold]()
    budgets = core.runtime.state.budgets
    make = budgets.hold

    async def hold(hold: Hold) -> list[Balance]:
        held.append(hold)
        return await make(hold)

    monkeypatch.setattr(budgets, "hold", hold)

    async def leave() -> None:
        task = asyncio.ensure_future(core.reading(asked))
        await until(lambda: len(core.chats()) > sent)
        await drained()
        assert noted(core, asked)["tokens"] == PROMPT
        assert held[0].spent == {}
        task.cancel()
        await asyncio.wait([task])

    core.do(leave())
    core.assert_settled(asked)


@pytest.mark.parametrize(
    ("totals", "checkpoints"),
    [
        ([ONE - 1], {PROMPT}),
        ([ONE], {ONE}),
        ([ONE, ONE + CHECKPOINT_TOKENS - 1], {ONE, ONE + CHECKPOINT_TOKENS - 1}),  # the latter if both came at once
        ([ONE, ONE + CHECKPOINT_TOKENS], {ONE + CHECKPOINT_TOKENS}),
    ],
)
def test_each_so_many_tokens_are_checkpointed_however_fast_they_come(
    make: Make, monkeypatch: pytest.MonkeyPatch, totals: list[int], checkpoints: set[int]
) -> None:
    monkeypatch.setattr("gateway.checkpoints.CHECKPOINT_S", math.inf)
    gateway = make(models={"small": {"backends": ["first"], "max_output": 1024}})
    gateway.fake.plan(Script((*(piece({"content": "a"}, total - PROMPT) for total in totals), HANG)))
    asked = call()

    async def leave() -> None:
        async with aclosing(gateway.runtime.pipeline.run(asked)) as answers:
            await given(answers, 1 + len(totals))
            await drained()
            assert noted(gateway, asked)["tokens"] in checkpoints

    gateway.do(leave())
    gateway.assert_settled(asked)


def test_who_reads_an_answer_along_has_none_of_its_tokens_on_file(
    core: Assembled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should the process die now, they are charged once: to the request that the answer is made for."""
    monkeypatch.setattr("gateway.checkpoints.CHECKPOINT_S", 0)
    core.fake.plan(Script((*words("a", "b"), HANG)))
    leader, follower = same = [call("Who pays?", who=who) for who in [caller()] * 2]
    running = [core.runtime.pipeline.run(one) for one in same]

    async def leave() -> None:
        for answers in running:
            await given(answers, 3)  # Opened and two deltas
        await drained()
        assert noted(core, leader)["tokens"] == PROMPT + 2
        assert noted(core, follower) == {}
        for answers in reversed(running):  # the leader's call ends when nobody reads any more
            await answers.aclose()

    core.do(leave())
    core.assert_settled(*same)


def test_a_stop_waits_for_the_last_entry_and_no_longer(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ledger.SETTLE_S", 2 * WAIT_S)
    gateway = make()
    ledger = gateway.runtime.pipeline.ledger

    async def scenario() -> None:
        await asyncio.wait_for(ledger.drained(), WAIT_S / 2)  # there was no entry yet
        async with ledger.open(call()):
            stopping = asyncio.ensure_future(ledger.drained())
            await asyncio.sleep(0.1)
            assert not stopping.done()
        await asyncio.wait_for(stopping, WAIT_S / 2)

    gateway.do(scenario())


def test_a_killed_process_is_charged_at_its_last_checkpoint(tmp_path: Path, make: Make) -> None:
    """The child's answer stops after three tokens; its last checkpoint is durable when it says so; then SIGKILL.

    The row that it could not write is there too, and says as much as the counters.
    """
    ending: tuple[Step, ...] = (*words("a", "b"), 1.2, piece({"content": "c"}, 3), HANG)
    with running(FakeBackend()) as fake:
        fake.plan(Script(ending))
        command = [sys.executable, "-m", "tests.gateway.killed", fake.url, str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            try:
                assert child.stdout is not None
                assert child.stdout.readline().strip() == "checkpointed"
            finally:
                child.kill()
        gateway = make(tmp_path)
        assert gateway.holds() == []
        balances = gateway.balances(caller("killed"))
        assert {unit: b.used for (_, unit, _), b in balances.items()} == {
            "tokens": PROMPT + 3,
            "requests": 1,
            "usd": PROMPT * 1000 + 3 * 2000,
        }
        assert all(b.held == 0 for b in balances.values())
        (row,) = gateway.do(gateway.runtime.state.journal.latest(10, "killed"))
        told = (row["error"], row["input_tokens"], row["output_tokens"], row["cost_nano"], row["model"], row["backend"])
        assert told == ("process_died", PROMPT, 3, PROMPT * 1000 + 3 * 2000, "small", "first")
        assert row["token_source"] == "estimate"
