"""What a broken limit means to the client: which one, what was asked, what is left, when it resets. Knows no store."""

from datetime import UTC, datetime

from gateway.errors import BudgetExceeded, RateLimited, Refusal, RequestTooLarge
from gateway.prices import NANO
from gateway.state import OverLimit, Unit


def amount(value: int, unit: Unit) -> str:
    """An amount for people: `1200 tokens`, `$0.25`."""
    return f"${value / NANO:.9f}".rstrip("0").rstrip(".") if unit == "usd" else f"{value} {unit}"


def refusal(over: OverLimit, now: float) -> Refusal:
    """The refusal for this limit: too large for ever, too fast for now, or over the day's or month's budget."""
    balance, limit = over.balance, over.balance.limit
    asked, most = amount(over.asked, limit.unit), amount(limit.amount, limit.unit)
    if limit.window == "request" or over.asked > limit.amount:
        return RequestTooLarge(
            f"This request may use up to {asked}; the {balance.scope}'s limit is {most} per {limit.window}. "
            "Shorten the prompt or lower max_completion_tokens.",
            balance=balance,
        )
    wait = max(0.0, balance.resets - now)
    left = amount(balance.remaining, limit.unit)
    until = datetime.fromtimestamp(balance.resets, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    message = (
        f"The {balance.scope}'s limit of {most} per {limit.window} has {left} left, and this request may use {asked}; "
    )
    kind = RateLimited if limit.window == "minute" else BudgetExceeded
    return kind(message + f"it resets at {until}.", retry_after=wait, balance=balance)
