"""What a broken limit means to the client: which one, what was asked, what is left, when it resets. Knows no store."""

from datetime import datetime

from gateway.errors import BudgetExceeded, RateLimited, Refusal, RequestTooLarge
from gateway.prices import NANO
from gateway.state import OverLimit, Unit, known_zone


def amount(value: int, unit: Unit) -> str:
    """An amount for people: `1200 tokens`, `$0.25`."""
    return f"${value / NANO:.9f}".rstrip("0").rstrip(".") if unit == "usd" else f"{value} {unit}"


def refusal(over: OverLimit, now: float, zone: str = "UTC") -> Refusal:
    """The refusal for this limit: too large for ever, too fast for now, or over the day's or month's budget.

    `now` in seconds since the epoch; times are told in the tenant's `zone`.
    """
    balance, limit = over.balance, over.balance.limit
    asked, most = amount(over.asked, limit.unit), amount(limit.amount, limit.unit)
    if limit.window == "request" or over.asked > limit.amount:
        return RequestTooLarge(
            f"This request may use up to {asked}; the {balance.scope}'s limit is {most} per {limit.window}. "
            + _smaller(limit.unit),
            balance=balance,
        )
    wait = max(0.0, over.fits - now)
    left = amount(balance.remaining, limit.unit)
    refused = (
        f"The {balance.scope}'s limit of {most} per {limit.window} has {left} left, and this request may use {asked}; "
    )
    if limit.window == "minute":
        return RateLimited(refused + f"there is room for it in {wait:.1f} s.", retry_after=wait, balance=balance)
    until = datetime.fromtimestamp(over.fits, known_zone(zone)).strftime("%Y-%m-%d %H:%M:%S %Z")
    return BudgetExceeded(refused + f"it resets at {until}.", retry_after=wait, balance=balance)


def _smaller(unit: Unit) -> str:
    """What makes a request smaller in this unit."""
    if unit == "requests":
        return "Send fewer prompts at once."
    return "Shorten the prompt or lower max_completion_tokens."
