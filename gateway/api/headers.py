"""The headers of an answer: what was used, what is left, where the time went. Pure.

Names and formats: the contract's, and OpenAI's for `x-ratelimit-*` and `openai-processing-ms`
(platform.openai.com/docs/guides/rate-limits, platform.openai.com/docs/api-reference/debugging-requests).
"""

from collections.abc import Sequence
from math import ceil

from gateway.exchange import Call
from gateway.state import Balance, Unit
from gateway.tracing import Trace

Headers = dict[str, str]

RATED: tuple[Unit, ...] = ("requests", "tokens")  # what OpenAI has headers for


def of_answer(
    call: Call,
    cache: str | None,
    balances: Sequence[Balance],
    cost_usd: float | None,
    now: float,
    age: float | None = None,
) -> Headers:
    """All headers of an answer; `balances` as they stand when the headers leave, `now` in seconds since the epoch.

    `cache` is None where nothing could be cached; `age` is a cached answer's, in seconds (RFC 9111, section 5.1).
    """
    headers = ({"x-cache": cache} if cache else {}) | of_trace(call.trace) | of_limits(balances, now)
    if age is not None:
        headers["age"] = str(max(0, int(age)))
    if cost_usd is not None:
        headers["x-cost-usd"] = f"{cost_usd:.9f}"  # nano-dollars are what is booked
    return headers


def of_trace(trace: Trace) -> Headers:
    """Where the time went until now, and the trace it belongs to."""
    headers = {"openai-processing-ms": str(round(trace.elapsed_ms())), "traceparent": trace.traceparent}
    if timing := _timing(trace.timings_ms()):
        headers["server-timing"] = timing
    return headers


def of_limits(balances: Sequence[Balance], now: float) -> Headers:
    """What is left: of an answer's limits, or of the one that refused."""
    headers: Headers = {}
    for unit in RATED:
        if tight := _tightest(balances, unit):
            headers[f"x-ratelimit-limit-{unit}"] = str(tight.limit.amount)
            headers[f"x-ratelimit-remaining-{unit}"] = str(tight.remaining)
            headers[f"x-ratelimit-reset-{unit}"] = duration(tight.resets - now)
            if unit == "tokens":
                headers["x-tokens-used"] = str(tight.used + tight.held)
                headers["x-tokens-remaining"] = str(tight.remaining)
    return headers


def duration(seconds: float) -> str:
    """A time span as OpenAI writes it: `20ms`, `7s`, `6m0s`, `23h4m5s`. Rounded up: after it, it is so."""
    if seconds < 1:
        return f"{max(0, ceil(seconds * 1000))}ms"
    minutes, rest = divmod(ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _tightest(balances: Sequence[Balance], unit: Unit) -> Balance | None:
    """The balance with least left, not with the least share: what is left is how much more will be admitted now, and
    a client that paces itself by it must not be refused. Of equals the one that resets last, for it refuses longest.

    A `request` limit bounds one request and has nothing left to tell.
    """
    kept = (b for b in balances if b.limit.unit == unit and b.limit.window != "request")
    return min(kept, key=lambda b: (b.remaining, -b.resets), default=None)


def _timing(timings_ms: dict[str, float]) -> str:
    """https://www.w3.org/TR/server-timing/"""
    return ", ".join(f"{stage};dur={ms:g}" for stage, ms in timings_ms.items())
