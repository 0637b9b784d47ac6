"""Which refusal a broken limit is, and what its message says."""

import pytest

from gateway.errors import BudgetExceeded, RateLimited, RequestTooLarge
from gateway.limits import refusal
from gateway.state import Balance, OverLimit
from gateway.state.limits import parse_limit

RESETS = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC


@pytest.mark.parametrize(
    ("limit", "used", "asked", "kind", "words"),
    [
        ("tokens/request=50", 0, 60, RequestTooLarge, ["60 tokens", "50 tokens per request", "lower max_completion"]),
        ("tokens/minute=50", 0, 60, RequestTooLarge, ["50 tokens per minute"]),
        ("tokens/month=50", 0, 60, RequestTooLarge, ["50 tokens per month"]),
        ("requests/day=2", 0, 3, RequestTooLarge, ["3 requests", "2 requests per day", "fewer prompts"]),
        ("tokens/minute=50", 20, 40, RateLimited, ["30 tokens left", "40 tokens", "room for it in 30.0 s"]),
        ("requests/minute=1", 1, 1, RateLimited, ["0 requests left"]),
        ("tokens/day=50", 20, 40, BudgetExceeded, ["key's limit of 50 tokens per day", "30 tokens left"]),
        ("tokens/month=50", 20, 40, BudgetExceeded, ["50 tokens per month", "2027-01-15 08:00:00 UTC"]),
        ("usd/day=0.5", 499_999_990, 20, BudgetExceeded, ["$0.5 per day", "$0.00000001 left", "$0.00000002"]),
    ],
)
def test_a_broken_limit_is_told_with_its_numbers(
    limit: str, used: int, asked: int, kind: type[Exception], words: list[str]
) -> None:
    error = refusal(OverLimit(Balance("key", parse_limit(limit), used, 0, RESETS), asked), RESETS - 30)
    assert type(error) is kind
    for word in words:
        assert word in error.message, error.message
    assert error.retry_after == (None if kind is RequestTooLarge else 30)


def test_a_day_ends_where_the_tenant_is() -> None:
    balance = Balance("tenant", parse_limit("tokens/day=50"), 50, 0, RESETS)
    assert "resets at 2027-01-15 09:00:00 CET" in refusal(OverLimit(balance, 1), RESETS - 30, "Europe/Berlin").message


def test_a_sliding_minute_asks_for_the_wait_until_the_amount_fits_and_no_longer() -> None:
    over = OverLimit(Balance("tenant", parse_limit("tokens/minute=50"), 50, 0, RESETS), 10, RESETS - 20)
    assert refusal(over, RESETS - 30).retry_after == 10


def test_a_window_that_has_just_ended_asks_for_no_negative_wait() -> None:
    balance = Balance("tenant", parse_limit("requests/minute=1"), 1, 0, RESETS)
    assert refusal(OverLimit(balance, 1), RESETS + 5).retry_after == 0
