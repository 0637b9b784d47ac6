import pytest

from serving.backend import Backend
from serving.pool import EJECT_AFTER_FAILURES, EJECT_SECONDS, MAX_EJECT_SECONDS, Pool


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool(clock: Clock) -> Pool:
    return Pool([Backend(name, "http://127.0.0.1:9") for name in "abc"], clock)


def names(pool: Pool) -> str:
    return "".join(backend.name for backend in pool.order())


def eject(pool: Pool, index: int) -> None:
    for _ in range(EJECT_AFTER_FAILURES):
        pool.failed(pool.backends[index])


def test_the_least_busy_comes_first(pool: Pool) -> None:
    a, b, _ = pool.backends
    with pool.using(a), pool.using(a), pool.using(b):
        assert names(pool) == "cba"
        assert pool.in_flight(a) == 2
    assert pool.in_flight(a) == 0


def test_equally_busy_ones_take_turns(pool: Pool) -> None:
    turns = ""
    for _ in range(6):
        best = pool.order()[0]
        turns += best.name
        with pool.using(best):
            pass
    assert turns == "abcabc"


def test_a_request_that_fails_is_no_longer_in_flight(pool: Pool) -> None:
    with pytest.raises(KeyError), pool.using(pool.backends[0]):
        raise KeyError
    assert pool.in_flight(pool.backends[0]) == 0


def test_failures_in_a_row_eject_for_a_while(pool: Pool, clock: Clock) -> None:
    a = pool.backends[0]
    for _ in range(EJECT_AFTER_FAILURES - 1):
        pool.failed(a)
    assert names(pool) == "abc"
    pool.failed(a)
    assert names(pool) == "bca"
    clock.now += EJECT_SECONDS
    assert names(pool) == "abc"


def test_a_success_in_between_forgives(pool: Pool) -> None:
    a = pool.backends[0]
    for _ in range(20):
        for _ in range(EJECT_AFTER_FAILURES - 1):
            pool.failed(a)
        pool.succeeded(a)
    assert not pool.ejected(a)


def test_each_ejection_is_twice_as_long_up_to_a_limit(pool: Pool, clock: Clock) -> None:
    a = pool.backends[0]
    eject(pool, 0)
    lasted = []
    for _ in range(6):
        began = clock.now
        while pool.ejected(a):
            clock.now += 1
        lasted.append(clock.now - began)
        pool.failed(a)  # one more failure after its time is enough
    assert lasted == [30, 60, 120, 240, MAX_EJECT_SECONDS, MAX_EJECT_SECONDS]


def test_failures_under_way_at_an_ejection_do_not_lengthen_it(pool: Pool, clock: Clock) -> None:
    eject(pool, 0)
    eject(pool, 0)
    clock.now += EJECT_SECONDS
    assert not pool.ejected(pool.backends[0])


def test_a_success_ends_an_ejection(pool: Pool) -> None:
    eject(pool, 0)
    pool.succeeded(pool.backends[0])
    assert not pool.ejected(pool.backends[0])


def test_when_all_have_failed_all_are_still_tried(pool: Pool) -> None:
    for index in range(3):
        eject(pool, index)
    assert names(pool) == "abc"
