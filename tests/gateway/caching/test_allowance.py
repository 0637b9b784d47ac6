"""A share of what requests use, and never more."""

from gateway.caching.allowance import MOST, Allowance


def test_nothing_may_be_used_before_requests_have_used_something() -> None:
    allowance = Allowance(0.1)
    assert not allowance.take(1)
    allowance.earn(1_000)
    assert [allowance.take(tokens) for tokens in (101, 60, 60, 40)] == [False, True, False, True]


def test_what_was_not_used_may_be_used_later() -> None:
    allowance = Allowance(0.5)
    allowance.earn(200)
    assert allowance.take(100)
    allowance.give_back(70)
    assert [allowance.take(tokens) for tokens in (71, 70)] == [False, True]


def test_what_is_saved_is_bounded() -> None:
    allowance = Allowance(1.0)
    allowance.earn(10 * int(MOST))
    assert [allowance.take(tokens) for tokens in (int(MOST) + 1, int(MOST), 1)] == [False, True, False]
