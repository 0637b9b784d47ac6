"""The breaker, by a clock that the test turns."""

from gateway.state.redis.breaker import FAILURES, OPEN_S, Breaker


class Hand:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(hand: Hand) -> Breaker:
    breaker = Breaker(hand)
    for _ in range(FAILURES):
        assert breaker.allows()
        breaker.failed()
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(Hand())
    for _ in range(3):
        for _ in range(FAILURES - 1):
            breaker.failed()
        assert breaker.allows()
        breaker.succeeded()
    for _ in range(FAILURES):
        breaker.failed()
    assert not breaker.allows()


def test_one_probe_goes_each_second_until_one_succeeds() -> None:
    hand = Hand()
    breaker = opened(hand)
    hand.now += OPEN_S - 0.01
    assert not breaker.allows()
    hand.now += 0.01
    assert [breaker.allows() for _ in range(5)] == [True, False, False, False, False]
    breaker.failed()
    assert not breaker.allows()
    hand.now += OPEN_S  # the first probe failed, the second never reports
    assert [breaker.allows(), breaker.allows()] == [True, False]
    hand.now += OPEN_S
    assert [breaker.allows(), breaker.allows()] == [True, False]
    breaker.succeeded()
    assert [breaker.allows(), breaker.allows()] == [True, True]
