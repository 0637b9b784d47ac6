"""Records as texts, and that laying two directories over each other is the same in any order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.state import Change, Key, Limit, Scopes, Tenant
from gateway.state.redis.records import Dated, Record, dump, field, limited, load, merged

LIMITS = (Limit("tokens", "day", 100_000), Limit("usd", "month", 12_345_678_901))
ACME = Dated(Tenant("acme", LIMITS, 1_795_325_233.868056, "Europe/Berlin"), 1_795_325_234.123457)
SCOPES = Scopes(("small", "big-*"), None, ("docs",), {"team": "search"})
KEY = Key("k1", "acme", bytes(range(32)), LIMITS[:1], 1_795_325_233.868056, 9.5, None, "Übung", SCOPES)
CHANGE = Change(1_795_325_233.868056, "cli:ann", "key.revoke", "k1", {"revoked": 5.25})


@pytest.mark.parametrize("record", [ACME, KEY, replace(KEY, revoked=7.75, expires=None, scopes=Scopes()), CHANGE])
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    assert load(field(record), dump(record)) == record
    assert load(field(record), dump(record).encode()) == record


def test_names_tell_kinds_and_things_apart() -> None:
    same = Dated(Tenant("k1", (), 1.0), 1.0)
    assert len({field(record) for record in (ACME, same, KEY, CHANGE, replace(CHANGE, at=1.0))}) == 5
    assert field(limited(ACME, (), 2.0)) == field(ACME)


times = st.none() | st.floats(0, 100)
keys = st.builds(lambda expires, revoked: replace(KEY, expires=expires, revoked=revoked), times, times)
tenants = st.builds(
    lambda amount, changed: Dated(replace(ACME.tenant, limits=(Limit("tokens", "day", amount),)), changed),
    st.integers(0, 3),
    st.integers(0, 3).map(float),
)


@given(st.tuples(keys, keys, keys) | st.tuples(tenants, tenants, tenants))
def test_merging_knows_no_order_and_no_repetition(three: tuple[Record, Record, Record]) -> None:
    one, two, three_ = three
    assert merged(one, two) == merged(two, one)
    assert merged(merged(one, two), three_) == merged(one, merged(two, three_))
    assert merged(one, one) == merged(one, None) == one


def test_a_key_ends_at_the_sooner_time_and_a_revocation_stays() -> None:
    one, other = replace(KEY, expires=5.0), replace(KEY, expires=None, revoked=3.0)
    assert merged(one, other) == replace(KEY, expires=5.0, revoked=3.0)


def test_limits_set_later_win_whatever_the_clock_says() -> None:
    behind = limited(ACME, (), ACME.changed - 3_600)
    assert merged(ACME, behind) == behind
    assert merged(behind, limited(behind, LIMITS, ACME.changed + 60)).tenant.limits == LIMITS  # type: ignore[union-attr]
