import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.state import MAX_AMOUNT, UNITS, WINDOWS, Limit
from gateway.state.limits import dump_limits, format_limit, load_limits, parse_limit

limits = st.builds(Limit, st.sampled_from(UNITS), st.sampled_from(WINDOWS), st.integers(0, MAX_AMOUNT))


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("tokens/day=100000", Limit("tokens", "day", 100_000)),
        ("requests/minute=60", Limit("requests", "minute", 60)),
        ("tokens/request=0", Limit("tokens", "request", 0)),
        ("usd/month=12", Limit("usd", "month", 12_000_000_000)),
        ("usd/month=12.5", Limit("usd", "month", 12_500_000_000)),
        ("usd/day=0.000000001", Limit("usd", "day", 1)),
        ("usd/day=0.1", Limit("usd", "day", 100_000_000)),
        ("usd/month=9007199.254740991", Limit("usd", "month", MAX_AMOUNT)),
    ],
)
def test_a_limit_is_written_as_it_is_read(text: str, limit: Limit) -> None:
    assert parse_limit(text) == limit
    assert format_limit(limit) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unit of requests, tokens, usd and a window of request, minute, day, month"),
        ("tokens", "write unit/window=amount"),
        ("euro/day=1", "unit of requests, tokens, usd"),
        ("tokens/week=1", "window of request, minute, day, month"),
        ("tokens/day=", "write unit/window=amount"),
        ("tokens/day=1.5", "tokens as a whole number"),
        ("tokens/day=-1", "tokens as a whole number"),
        ("requests/day=1e3", "requests as a whole number"),
        ("tokens/day=١٠", "tokens as a whole number"),
        ("tokens/day=9007199254740992", "allowed are 0 to 9007199254740991"),
        ("tokens/day=" + "9" * 5000, "tokens as a whole number"),
        ("usd/day=0.0000000001", "at most 9 decimals"),
        ("usd/day=1e3", "dollars as a plain number"),
        ("usd/day=NaN", "dollars as a plain number"),
        ("usd/day=1,5", "dollars as a plain number"),
        ("usd/day=$5", "dollars as a plain number"),
        ("usd/day=-5", "dollars as a plain number"),
        ("usd/day=9007199.254740992", "allowed are 0 to"),
        ("tokens/day=1\n", "write unit/window=amount"),
    ],
)
def test_a_wrong_limit_says_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_limit(text)


@given(st.text())
def test_no_text_fails_otherwise(text: str) -> None:
    for candidate in (text, f"usd/day={text}", f"tokens/day={text}"):
        try:
            assert parse_limit(format_limit(parse_limit(candidate))) == parse_limit(candidate)
        except ValueError:
            continue


@given(st.lists(limits))
def test_limits_survive_their_text(several: list[Limit]) -> None:
    assert [parse_limit(format_limit(limit)) for limit in several] == several
    assert load_limits(dump_limits(several)) == tuple(several)


@pytest.mark.parametrize("amount", [-1, MAX_AMOUNT + 1])
def test_no_limit_has_an_amount_that_a_store_cannot_hold(amount: int) -> None:
    with pytest.raises(ValueError, match=f"{amount} is no amount for usd/day"):
        Limit("usd", "day", amount)
