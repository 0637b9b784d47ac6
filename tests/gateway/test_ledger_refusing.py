"""What is refused before anything is spent: by which limit, by how much, until when. Nothing is sent, nothing held."""

import asyncio
import time
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.errors import (
    BudgetExceeded,
    ContextLengthExceeded,
    NotAllowed,
    NotFound,
    RateLimited,
    RequestTooLarge,
)
from tests.fakes.backend import Script, said
from tests.gateway.assembled import Assembled
from tests.gateway.calls import call, caller
from tests.gateway.conftest import Make

PROMPT = 13  # tokens, as the scripted backend counts every prompt
CEILING = PROMPT + 64  # and the alias's default ceiling


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
    assert error.retry_after == 41  # what was spent in a second counts until a whole minute after it


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


def test_a_day_is_the_tenants_own(core: Assembled) -> None:
    """23:30 in Berlin and 0:30 are two days, though one in UTC."""
    berlin = replace(caller(limits=("requests/day=1",)), zone="Europe/Berlin")
    late = datetime(2030, 7, 1, 23, 30, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    assert core.ask(who=berlin, at=late).error is None
    error = core.ask(who=berlin, cache="skip", at=late).error
    assert isinstance(error, BudgetExceeded)
    assert "resets at 2030-07-02 00:00:00 CEST" in str(error)
    assert core.ask(who=berlin, cache="skip", at=late + 3600).error is None


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
