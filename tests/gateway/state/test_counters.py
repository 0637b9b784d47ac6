"""What the stores share: meters, balances, refusals, and what they keep of a hold as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.state import MAX_AMOUNT, UNITS, WINDOWS, Balance, Hold, Limit, OverLimit
from gateway.state.counters import (
    Bound,
    Counter,
    Live,
    Meter,
    Standing,
    balances,
    bind,
    bind_hold,
    booked,
    counter_at,
    dump_bounds,
    load_bounds,
    metered,
    moved,
    oversize,
    refuse,
)

DAY = 86_400
NOON = 20_000 * DAY + DAY / 2
MIDNIGHT = 20_001 * DAY
TOKENS = Limit("tokens", "day", 50)
WIDER = Limit("tokens", "day", 60)
SINGLE = Limit("tokens", "request", 10)
REQUESTS = Limit("requests", "minute", 3)
TENANTS_DAY = Meter("tenant", "acme", "tokens", "day")
KEYS_DAY = Meter("key", "k1", "tokens", "day")
MINUTE = Meter("tenant", "acme", "requests", "minute")


def nothing_live(balance: Balance) -> list[Live]:
    raise AssertionError("only asked about sliding minutes that refuse")


def test_limits_of_one_unit_and_window_share_a_meter_whatever_their_amounts() -> None:
    bounds = bind("acme", "k1", (TOKENS, WIDER, SINGLE), (TOKENS,))
    assert [(bound.limit, bound.meter) for bound in bounds] == [
        (TOKENS, TENANTS_DAY),
        (WIDER, TENANTS_DAY),
        (SINGLE, Meter("tenant", "acme", "tokens", "request")),
        (TOKENS, KEYS_DAY),
    ]
    assert metered(bounds) == [TENANTS_DAY, KEYS_DAY]


def test_a_hold_is_bound_by_its_tenants_limits_then_its_keys() -> None:
    hold = Hold("r", "acme", "k1", "owner", {}, (TOKENS,), (REQUESTS,), NOON)
    assert bind_hold(hold) == bind("acme", "k1", (TOKENS,), (REQUESTS,))


@pytest.mark.parametrize(
    ("latest", "start"),
    [
        (None, MIDNIGHT - DAY),
        (MIDNIGHT - 2 * DAY, MIDNIGHT - DAY),
        (MIDNIGHT - DAY, MIDNIGHT - DAY),
        (MIDNIGHT, MIDNIGHT),
    ],
)
def test_an_amount_never_falls_before_the_newest_counter(latest: int | None, start: int) -> None:
    assert counter_at(TENANTS_DAY, NOON, "UTC", latest) == Counter(*TENANTS_DAY, start, start + DAY)


def test_an_amount_falls_into_the_day_of_its_zone() -> None:
    counter = counter_at(TENANTS_DAY, NOON, "Asia/Tokyo")
    assert (counter.start, counter.end) == (MIDNIGHT - DAY + 15 * 3600 - DAY, MIDNIGHT + 15 * 3600 - DAY)
    assert counter.meter == TENANTS_DAY


def test_balances_come_in_the_order_of_the_limits() -> None:
    bounds = bind("acme", "k1", (SINGLE, TOKENS, REQUESTS), (WIDER,))
    standings = {TENANTS_DAY: Standing(5, 7, MIDNIGHT), MINUTE: Standing(1, 2, 99)}
    assert balances(bounds, standings, NOON) == [
        Balance("tenant", SINGLE, 0, 0, 0.0),
        Balance("tenant", TOKENS, 5, 7, MIDNIGHT),
        Balance("tenant", REQUESTS, 1, 2, 99.0),
        Balance("key", WIDER, 0, 0, MIDNIGHT),
    ]


def test_a_minute_on_which_nothing_counts_is_full_now() -> None:
    (balance,) = balances([Bound(REQUESTS, MINUTE)], {}, NOON)
    assert (balance.remaining, balance.resets) == (3, NOON)


def test_what_was_set_aside_stands_until_its_counter_ends() -> None:
    counter = Counter(*MINUTE, 100, 161)
    assert moved(Standing(), counter, 2) == Standing(0, 2, 161)
    assert moved(Standing(3, 4, 160), counter, 2) == Standing(3, 6, 161)


def refusal(standing: list[Balance], asked: int, live: tuple[Live, ...] = ()) -> OverLimit:
    with pytest.raises(OverLimit) as refused:
        refuse(standing, {"tokens": asked, "requests": asked}, lambda balance: live)
    return refused.value


def test_what_fits_to_the_last_token_is_not_refused() -> None:
    balance = Balance("tenant", TOKENS, 20, 25, MIDNIGHT)
    refuse([balance], {"tokens": 5}, nothing_live)
    refuse([balance], {"requests": 100}, nothing_live)
    assert refusal([balance], 6).balance == balance


@pytest.mark.parametrize(("asked", "fits"), [(1, 110.0), (2, 110.0), (3, 120.0), (4, 150.0), (50, 150.0)])
def test_a_minute_fits_as_soon_as_enough_has_slid_out(asked: int, fits: float) -> None:
    """4 of 4 in use: 2 of them slide out at 110, one at 120, one at 150; a larger amount never fits."""
    balance = Balance("tenant", Limit("requests", "minute", 4), 3, 1, 150.0)
    over = refusal([balance], asked, (Live(150, 1), Live(110, 2), Live(120, 1)))
    assert (over.asked, over.fits) == (asked, fits)


def test_a_calendar_window_fits_at_its_end() -> None:
    assert refusal([Balance("tenant", TOKENS, 50, 0, MIDNIGHT)], 1).fits == MIDNIGHT


def test_the_one_that_refuses_longest_is_named() -> None:
    minute = Balance("tenant", Limit("tokens", "minute", 5), 5, 0, NOON + 60)
    day, single = Balance("tenant", TOKENS, 50, 0, MIDNIGHT), Balance("tenant", SINGLE, 0, 0, 0.0)
    live = (Live(int(NOON) + 60, 5),)
    assert refusal([minute, day, single], 5, live).balance == day
    assert refusal([day, minute, single], 11, live).balance == single
    assert refusal([minute, single], 5, live).balance == minute


@pytest.mark.parametrize(("spent", "books"), [(-1, 0), (0, 0), (3, 3), (5, 5), (6, 5), (10**30, 5)])
def test_never_more_is_booked_than_was_held(spent: int, books: int) -> None:
    assert booked(5, spent) == books


def test_a_single_request_can_be_too_large_whatever_was_spent() -> None:
    bounds = bind("acme", "k1", (TOKENS,), (SINGLE,))
    assert oversize(bounds, {"tokens": 11})
    assert not oversize(bounds, {"tokens": 10})
    assert not oversize(bounds, {"requests": 11})


names = st.text(max_size=20)
limits = st.builds(Limit, st.sampled_from(UNITS), st.sampled_from(WINDOWS), st.integers(0, MAX_AMOUNT))


@given(names, names, st.lists(limits), st.lists(limits))
def test_bounds_survive_their_text(tenant: str, key: str, of_tenant: list[Limit], of_key: list[Limit]) -> None:
    bounds = bind(tenant, key, of_tenant, of_key)
    assert load_bounds(dump_bounds(bounds)) == bounds
