"""Every call settles once, writes one row, and leaves nothing held, whether it was answered or broken.

`assert_settled` compares three accounts after each: the open holds, the balances and the journal's sums. Calls that
are refused are in test_ledger_refusing, clients that leave in test_ledger_leaving, stores that hang in test_shielded.
"""

import asyncio

import pytest

from gateway.errors import (
    OutputTruncated,
    Overloaded,
)
from gateway.record import Record
from gateway.state import Balance, Hold, StateUnavailable
from gateway.tracing import Trace
from serving.errors import BackendBroken, BackendRejected, BackendTimeout, BackendUnavailable
from serving.events import Usage
from tests.fakes.backend import DONE, HANG, JSON, RST, Script, last, piece, said, words
from tests.gateway.assembled import Assembled
from tests.gateway.calls import call, caller
from tests.gateway.conftest import Make
from tests.gateway.waiting import reached, until

PROMPT = 13  # tokens, as the scripted backend counts every prompt
CEILING = PROMPT + 64  # and the alias's default ceiling


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


def test_a_cached_answer_costs_the_request_and_no_tokens(core: Assembled) -> None:
    who = caller()
    made, hit = core.ask(who=who), core.ask(who=who)
    assert hit.cache["verdict"] == "exact"
    row = core.row(hit.call)
    assert (row["cache"], row["input_tokens"], row["output_tokens"], row["cost_nano"]) == ("exact", 0, 0, 0)
    assert hit.closed.cost_usd == 0
    core.assert_settled(made.call, hit.call)
    assert core.balances(who)["tenant", "requests", "day"].used == 2


def test_tokens_of_the_engines_own_cache_have_their_own_price(core: Assembled) -> None:
    counts = b'"prompt_tokens_details": {"cached_tokens": 0'
    ending = last(2).replace(counts, counts[:-1] + b"10")
    core.fake.plan(Script((*words("a", "b", finish="stop"), ending, b"data: [DONE]\n\n")))
    outcome = core.ask()
    # 3 fresh at $1, 10 cached at $0.1, 2 out at $2 per million: 3,000 + 1,000 + 4,000 nano-dollars.
    assert core.row(outcome.call)["cost_nano"] == 8_000
    assert outcome.closed.cost_usd == 8e-6
    core.assert_settled(outcome.call)


@pytest.mark.parametrize("claimed", [-5, 0, 10**9])
def test_a_backend_that_lies_about_its_tokens_makes_nothing_free_and_breaks_no_limit(
    core: Assembled, claimed: int
) -> None:
    """What it said is counted here; the row, the counters and the client agree on it."""
    core.fake.plan(Script((*words("a", "b", "c"), piece({"content": "d"}, claimed, "stop"), last(claimed), DONE)))
    outcome = core.ask()
    row = core.row(outcome.call)
    assert row["input_tokens"] == PROMPT
    assert row["output_tokens"] >= 3
    assert row["output_tokens"] <= 64
    assert row["token_source"] == "estimate"
    assert outcome.closed.usage.output_tokens == row["output_tokens"]
    core.assert_settled(outcome.call)


def test_tags_are_in_the_row_in_one_spelling(core: Assembled) -> None:
    outcome = core.ask(tags={"team": "a", "feature": "search"})
    assert core.row(outcome.call)["tags"] == '{"feature":"search","team":"a"}'
    assert core.row(core.ask().call)["tags"] is None


def test_a_hold_whose_answer_was_lost_counts_no_request(core: Assembled, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was made, its caller heard that the store is away, and was refused with 503."""
    budgets, who = core.runtime.state.budgets, caller()
    hold = budgets.hold

    async def lost(asked: Hold) -> list[Balance]:
        await hold(asked)
        raise StateUnavailable("the answer was lost")

    monkeypatch.setattr(budgets, "hold", lost)
    outcome = core.ask(who=who)
    assert isinstance(outcome.error, StateUnavailable)
    assert core.row(outcome.call)["status"] == 503
    assert core.holds() == []
    assert [(b.used, b.held) for b in core.balances(who).values()] == [(0, 0)] * 3


def test_who_fails_to_listen_breaks_no_answer(core: Assembled, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(record: Record, trace: Trace) -> None:
        raise OSError("no space left")

    ledger, heard = core.runtime.pipeline.ledger, []
    monkeypatch.setattr(ledger, "listeners", (failing, lambda record, _: heard.append(record)))
    outcome = core.ask()
    assert outcome.error is None
    assert [record.request_id for record in heard] == [outcome.call.request_id]


@pytest.mark.parametrize(("reason", "status"), [("a text", 499), (Overloaded("The gateway stops."), 503), (None, 499)])
def test_a_cancelled_request_is_a_clients_unless_the_gateway_says_why(
    core: Assembled, reason: object, status: int
) -> None:
    core.fake.plan(Script((*words("a", "b"), HANG)))
    asked = call()

    async def cut() -> None:
        task = asyncio.ensure_future(core.reading(asked))
        await until(lambda: reached(asked, "route"))
        task.cancel(reason)
        await asyncio.wait([task])

    core.do(cut())
    assert core.row(asked)["status"] == status
    core.assert_settled(asked)
