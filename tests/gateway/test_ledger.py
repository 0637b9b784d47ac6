"""Every way out of a call settles once, writes one row, and leaves nothing held.

`assert_settled` compares three accounts after each: the open holds, the balances and the journal's sums.
"""

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import pytest

from gateway import shielded
from gateway.errors import (
    BudgetExceeded,
    ContextLengthExceeded,
    NotAllowed,
    NotFound,
    OutputTruncated,
    RateLimited,
    RequestTooLarge,
    Unready,
)
from gateway.exchange import Call
from gateway.state import Balance
from gateway.state.sqlite import schema
from serving.errors import BackendBroken, BackendRejected, BackendTimeout, BackendUnavailable
from serving.events import Usage
from tests.fakes.backend import HANG, JSON, RST, FakeBackend, Script, Step, last, piece, said, words
from tests.fakes.background import running
from tests.gateway.assembled import ROOT, Assembled, call, caller, until, waited
from tests.gateway.conftest import Make

PROMPT = 13  # tokens, as the scripted backend counts every prompt
CEILING = PROMPT + 64  # and the alias's default ceiling


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process's long transaction: until the block ends no write of the gateway gets through."""
    other = sqlite3.connect(path, timeout=30, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def file_of(gateway: Assembled) -> Path:
    return Path(gateway.runtime.settings.state.url.removeprefix("sqlite:///"))


def reached(asked: Call, stage: str) -> bool:
    """Whether this stage of the call is over."""
    return any(one.name == stage for one in asked.trace.stages)


def of_tokens(gateway: Assembled, asked: Call) -> Balance:
    return gateway.balances(asked.caller)["tenant", "tokens", "day"]


def test_an_answer_is_billed_at_its_usage_and_its_balances_are_told(core: Assembled) -> None:
    outcome = core.ask()
    core.assert_settled(outcome.call)
    row = core.row(outcome.call)
    assert (row["status"], row["input_tokens"], row["output_tokens"]) == (200, PROMPT, 2)
    assert outcome.closed.usage == Usage(PROMPT, 2)
    opened = {b.limit.unit: b for b in outcome.opened.balances}
    closed = {b.limit.unit: b for b in outcome.closed.balances}
    assert (opened["tokens"].used, opened["tokens"].held) == (0, CEILING)
    assert (closed["tokens"].used, closed["tokens"].held) == (PROMPT + 2, 0)


def test_a_refusal_before_the_hold_costs_nothing_and_is_journalled(core: Assembled) -> None:
    outcome = core.ask(model="nobody")
    assert isinstance(outcome.error, NotFound)
    core.assert_settled(outcome.call)
    row = core.row(outcome.call)
    assert (row["status"], row["error"], row["input_tokens"], row["cost_nano"]) == (404, "model_not_found", 0, None)


@pytest.mark.parametrize(
    ("limit", "refusal", "status", "code", "words"),
    [
        ("tokens/request=76", RequestTooLarge, 413, "request_too_large", ["77 tokens", "76 tokens per request"]),
        ("tokens/day=76", RequestTooLarge, 413, "request_too_large", ["77 tokens", "76 tokens per day"]),
        (
            "tokens/minute=90",
            RateLimited,
            429,
            "rate_limit_exceeded",
            ["per minute has 75 tokens left", "77 tokens"],
        ),
        (
            "tokens/day=90",
            BudgetExceeded,
            429,
            "budget_exceeded",
            ["per day has 75 tokens left", "resets at 2"],
        ),
        ("requests/minute=1", RateLimited, 429, "rate_limit_exceeded", ["1 requests per minute has 0 requests left"]),
        ("usd/day=0.00015", BudgetExceeded, 429, "budget_exceeded", ["$0.00015 per day", "$0.000141"]),
    ],
)
def test_a_refused_hold_says_which_limit_by_how_much_and_until_when(
    core: Assembled, limit: str, refusal: type[Exception], status: int, code: str, words: list[str]
) -> None:
    who, at = caller(limits=(limit,)), time.time()
    before = [] if refusal is RequestTooLarge else [core.ask(who=who, cache="skip", at=at).call]
    sent = len(core.chats())
    outcome = core.ask(who=who, cache="skip", at=at)
    assert type(outcome.error) is refusal
    assert all(word in str(outcome.error) for word in words), outcome.error
    row = core.row(outcome.call)
    assert (row["status"], row["error"], row["input_tokens"], row["output_tokens"]) == (status, code, 0, 0)
    core.assert_settled(*before, outcome.call)
    assert len(core.chats()) == sent


def test_a_limit_that_waiting_helps_says_how_long(core: Assembled) -> None:
    who, noon = caller(limits=("requests/minute=1",)), time.time() // 86400 * 86400 + 43200
    core.ask(who=who, at=noon)
    error = core.ask(who=who, cache="skip", at=noon + 20).error
    assert isinstance(error, RateLimited)
    assert error.retry_after == 40


@pytest.mark.parametrize(
    ("script", "error", "status", "code"),
    [
        (
            Script(status=400, headers=JSON, steps=(b'{"error":{"message":"no"}}',)),
            BackendRejected,
            400,
            "invalid_value",
        ),
        (Script(status=500, headers=JSON, steps=(b"{}",)), BackendUnavailable, 502, "backend_unavailable"),
        (Script(steps=(HANG,)), BackendTimeout, 504, "backend_timeout"),
    ],
)
def test_a_backend_that_never_answers_costs_nothing(
    make: Make, script: Script, error: type[Exception], status: int, code: str
) -> None:
    gateway = make(route={"attempts": 1}, patience=1.0)
    gateway.fake.plan(script)
    outcome = gateway.ask()
    assert type(outcome.error) is error
    row = gateway.row(outcome.call)
    assert (row["status"], row["error"], row["input_tokens"], row["output_tokens"]) == (status, code, 0, 0)
    gateway.assert_settled(outcome.call)


def test_a_backend_that_dies_in_the_middle_is_paid_for_what_it_said(core: Assembled) -> None:
    core.fake.plan(Script((*words("Hel", "lo"), RST)))
    outcome = core.ask()
    assert isinstance(outcome.error, BackendBroken)
    row = core.row(outcome.call)
    assert (row["status"], row["error"], row["input_tokens"], row["output_tokens"]) == (
        502,
        "backend_unavailable",
        13,
        2,
    )
    core.assert_settled(outcome.call)


def test_an_answer_that_is_refused_after_it_was_made_is_paid(core: Assembled) -> None:
    core.fake.plan(Script(said("a", "b", "c", finish="length")))
    outcome = core.ask(on_length="error")
    assert isinstance(outcome.error, OutputTruncated)
    assert "after 3 tokens" in str(outcome.error)
    row = core.row(outcome.call)
    assert (row["status"], row["error"], row["output_tokens"]) == (502, "output_truncated", 3)
    core.assert_settled(outcome.call)


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
        with locked(file_of(core)):
            await until(lambda: reached(asked, "cache"))
            await asyncio.sleep(0.1)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    sent = len(core.chats())
    core.do(leave())
    assert len(core.chats()) == sent
    assert of_tokens(core, asked).held == of_tokens(core, asked).used == 0
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
                for _ in range(4):
                    await anext(answers)
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


def cancelled_once_checked(gateway: Assembled, asked: Call) -> None:
    """Cancel the reading task while a write after the last event waits for the locked store, twice; then unlock."""

    async def scenario() -> None:
        task = asyncio.ensure_future(gateway.reading(asked))
        await until(lambda: reached(asked, "route"))
        with locked(file_of(gateway)):
            await until(lambda: reached(asked, "check"))
            await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.sleep(0.1)
            assert not task.done()
        with pytest.raises(asyncio.CancelledError):
            await task

    gateway.do(scenario())


SLOW = Script((*words("a", "b"), 0.5, piece({}, 2, "stop"), last(2), b"data: [DONE]\n\n"))


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
    core: Assembled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shielded, "SETTLE_S", 0.2)
    core.fake.plan(SLOW)
    asked = call(cache="skip")

    async def scenario() -> str:
        task = asyncio.ensure_future(core.reading(asked))
        await until(lambda: reached(asked, "route"))
        with locked(file_of(core)):
            return (await task).text

    assert core.do(scenario()) == "ab"
    waited(lambda: core.holds() == [])  # the write itself was never given up
    waited(lambda: core.do(core.runtime.state.journal.read(asked.request_id)) is not None)
    core.assert_settled(asked)


def test_a_settlement_that_the_store_refuses_is_tried_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "BUSY", 0.05)  # how long SQLite waits for the lock before it refuses
    monkeypatch.setattr(shielded, "AGAIN_S", (0.1,) * 100)
    gateway = make()
    gateway.fake.plan(SLOW)
    asked = call(cache="skip")

    async def scenario() -> str:
        task = asyncio.ensure_future(gateway.reading(asked))
        await until(lambda: reached(asked, "route"))
        with locked(file_of(gateway)):
            return (await task).text

    assert gateway.do(scenario()) == "ab"
    waited(lambda: gateway.holds() == [])
    waited(lambda: gateway.do(gateway.runtime.state.journal.read(asked.request_id)) is not None)
    gateway.assert_settled(asked)


def test_a_store_that_is_away_admits_nothing(make: Make) -> None:
    gateway = make()
    gateway.do(gateway.runtime.state.close())
    assert isinstance(gateway.ask(cache="skip").error, Unready)
    assert gateway.chats() == []


def test_a_cached_answer_costs_the_request_and_no_tokens(core: Assembled) -> None:
    who = caller()
    made, hit = core.ask(who=who), core.ask(who=who)
    assert hit.cache["verdict"] == "exact"
    row = core.row(hit.call)
    assert (row["cache"], row["input_tokens"], row["output_tokens"], row["cost_nano"]) == ("exact", 0, 0, 0)
    assert hit.closed.cost_usd == 0
    core.assert_settled(made.call, hit.call)
    assert core.balances(who)["tenant", "requests", "day"].used == 2


def test_a_cached_answer_still_needs_a_request(core: Assembled) -> None:
    who = caller(limits=("requests/day=1",))
    made, refused = core.ask(who=who), core.ask(who=who)
    assert isinstance(refused.error, BudgetExceeded)
    core.assert_settled(made.call, refused.call)


def test_a_limit_in_dollars_refuses_a_model_without_a_price(core: Assembled) -> None:
    outcome = core.ask(model="free", who=caller(limits=("usd/day=1",)))
    assert isinstance(outcome.error, NotAllowed)
    assert "[prices.free]" in str(outcome.error)
    core.assert_settled(outcome.call)
    free = core.ask(model="free", who=caller(limits=("tokens/day=1000",)))
    assert (free.closed.cost_usd, core.row(free.call)["cost_nano"]) == (None, None)
    core.assert_settled(free.call)


def test_tokens_of_the_engines_own_cache_have_their_own_price(core: Assembled) -> None:
    counts = b'"prompt_tokens_details": {"cached_tokens": 0'
    ending = last(2).replace(counts, counts[:-1] + b"10")
    core.fake.plan(Script((*words("a", "b", finish="stop"), ending, b"data: [DONE]\n\n")))
    outcome = core.ask()
    # 3 fresh at $1, 10 cached at $0.1, 2 out at $2 per million: 3,000 + 1,000 + 4,000 nano-dollars.
    assert core.row(outcome.call)["cost_nano"] == 8_000
    assert outcome.closed.cost_usd == 8e-6
    core.assert_settled(outcome.call)


def test_a_prompt_that_does_not_fit_is_refused_before_the_hold(make: Make) -> None:
    gateway = make(models={"small": {"backends": ["first"], "window": 13}})
    outcome = gateway.ask()
    assert isinstance(outcome.error, ContextLengthExceeded)
    assert "13 tokens" in str(outcome.error)
    assert "shorten it by at least 1" in str(outcome.error)
    assert "hold" not in gateway.stages(outcome.call)
    gateway.assert_settled(outcome.call)


def test_many_at_once_never_hold_or_book_more_than_the_limit(core: Assembled) -> None:
    who = caller(limits=(f"tokens/day={4 * CEILING}",))
    calls = [call(who=who, cache="skip") for _ in range(12)]

    async def together() -> list[Exception | None]:
        return [outcome.error for outcome in await asyncio.gather(*map(core.reading, calls))]

    core.fake.plan(*[Script((0.3, *said("a", "b"))) for _ in range(4)])
    errors = core.do(together())
    assert sum(error is None for error in errors) == 4
    assert all(isinstance(error, BudgetExceeded) for error in errors if error)
    core.assert_settled(*calls)


def test_a_killed_process_is_charged_at_its_last_checkpoint(tmp_path: Path, make: Make) -> None:
    """The child's answer stops after three tokens; its last checkpoint is durable when it says so; then SIGKILL."""
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
