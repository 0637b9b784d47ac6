"""The headers of an answer: the tightest limit, in OpenAI's notation."""

import pytest

from gateway.api.headers import duration, of_answer
from gateway.exchange import Call, Caller, Options
from gateway.state import Balance, Limit, Unit, Window
from gateway.tracing import Trace


def balance(unit: Unit, window: Window, amount: int, used: int, held: int = 0, resets: float = 1000.0) -> Balance:
    return Balance("tenant", Limit(unit, window, amount), used, held, resets)


def headers(*balances: Balance, cost_usd: float | None = None) -> dict[str, str]:
    trace = Trace("00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    trace.note("build", trace.began)
    call = Call("req_1", Caller("k", "t"), "small", (), None, {}, Options(), False, trace, 0.0)
    return of_answer(call, "miss", balances, cost_usd, now=640.0)


def test_without_limits_there_is_nothing_to_say_of_them() -> None:
    said = headers()
    assert said["x-cache"] == "miss"
    assert said["traceparent"].startswith("00-" + "a" * 32)
    assert said["server-timing"].startswith("build;dur=")
    assert int(said["openai-processing-ms"]) >= 0
    assert not [name for name in said if "tokens" in name or "ratelimit" in name or "cost" in name]


def test_the_tightest_token_budget_counts_and_a_bound_on_one_request_does_not() -> None:
    said = headers(
        balance("tokens", "request", 5, 0),
        balance("tokens", "day", 1000, 100, 50),
        balance("tokens", "month", 5000, 4500),
        balance("requests", "minute", 60, 3, 1, resets=1000.0),
    )
    assert (said["x-tokens-used"], said["x-tokens-remaining"]) == ("4500", "500")
    assert said["x-ratelimit-limit-tokens"] == "5000"
    assert said["x-ratelimit-remaining-requests"] == "56"
    assert said["x-ratelimit-reset-requests"] == "6m0s"


def test_requests_per_day_beside_requests_per_minute_the_one_with_least_left_is_told() -> None:
    said = headers(
        balance("requests", "minute", 60, 54, resets=641.0),  # 10% left
        balance("requests", "day", 10_000, 9_500, resets=50_000.0),  # 5% left, but the seventh request is refused
    )
    assert (said["x-ratelimit-limit-requests"], said["x-ratelimit-remaining-requests"]) == ("60", "6")
    assert said["x-ratelimit-reset-requests"] == "1s"


def test_of_limits_that_leave_the_same_the_one_that_resets_last_is_told() -> None:
    spent = (balance("tokens", "day", 100, 100, resets=50_000.0), balance("tokens", "minute", 10, 10, resets=700.0))
    for order in (spent, spent[::-1]):
        said = headers(*order)
        assert (said["x-ratelimit-limit-tokens"], said["x-ratelimit-remaining-tokens"]) == ("100", "0")
        assert said["x-ratelimit-reset-tokens"] == "13h42m40s"


def test_a_sliding_minute_resets_when_it_is_back_to_its_full_amount() -> None:
    said = headers(balance("requests", "minute", 60, 3, resets=640.25 + 60))
    assert said["x-ratelimit-reset-requests"] == "1m1s"
    assert headers(balance("requests", "minute", 60, 0, resets=640.0))["x-ratelimit-reset-requests"] == "0ms"


def test_what_is_held_is_not_left() -> None:
    said = headers(balance("tokens", "day", 1000, 100, 50))
    assert (said["x-tokens-used"], said["x-tokens-remaining"]) == ("150", "850")


def test_a_cost_has_nine_decimals() -> None:
    assert headers(cost_usd=1.7e-5)["x-cost-usd"] == "0.000017000"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0ms"), (0.02, "20ms"), (1, "1s"), (58.1, "59s"), (59.4, "1m0s"), (360, "6m0s"), (2_592_000, "720h0m0s")],
)
def test_durations_read_as_openais(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_cached_answer_tells_its_age_in_whole_seconds() -> None:
    call = Call("req_1", Caller("k", "t"), "small", (), None, {}, Options(), False, Trace(), 0.0)
    assert of_answer(call, "exact", (), None, 640.0, 12.7)["age"] == "12"
    assert of_answer(call, "exact", (), None, 640.0, -0.2)["age"] == "0"  # of another gateway's clock
    assert "age" not in headers()
