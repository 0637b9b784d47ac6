"""A clock whose wall and boot clock the test moves, and the real ones."""

import time

from hypothesis import given
from hypothesis import strategies as st

from gateway.state.clock import DRIFT_S, Clock, since_boot


class Hands:
    """A wall clock and the seconds since boot; time passes on both, somebody sets only the first."""

    wall, running = 1_000_000.0, 500.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.running += seconds

    def clock(self, anchor: float | None = None) -> Clock:
        return Clock(anchor, lambda: self.wall, lambda: self.running)


def test_it_begins_as_the_wall_clock_and_runs_on_when_that_is_set() -> None:
    hands = Hands()
    clock = hands.clock()
    assert clock.now() == 1_000_000.0
    hands.pass_by(10)
    hands.wall += 86_400
    assert clock.now() == 1_000_010.0
    assert clock.off_s() == 86_400
    hands.wall -= 3 * 86_400
    assert clock.now() == 1_000_010.0
    assert clock.off_s() == -2 * 86_400


def test_one_with_a_kept_anchor_tells_the_same_time() -> None:
    hands = Hands()
    first = hands.clock()
    hands.pass_by(3600)
    hands.wall -= 7200
    assert hands.clock(first.anchor).now() == first.now() == 1_003_600.0


def test_an_anchor_at_the_epoch_is_an_anchor() -> None:
    assert Hands().clock(0.0).now() == 500.0


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(-1e9, 1e9))))
def test_it_never_goes_back(events: list[tuple[float, float]]) -> None:
    hands = Hands()
    clock = hands.clock()
    for passed, step in events:
        before = clock.now()
        hands.pass_by(passed)
        hands.wall += step
        assert clock.now() >= before


def test_the_real_one_tells_the_time_of_day() -> None:
    clock = Clock()
    assert abs(clock.off_s()) < DRIFT_S
    before, wall = clock.now(), time.time()
    assert clock.now() >= before
    assert abs(clock.now() - wall) < 60  # a busy machine may pause between the two


def test_time_since_boot_counts_what_the_machine_slept() -> None:
    """CLOCK_MONOTONIC stops while a machine is suspended; this one does not, so it is never behind."""
    assert since_boot() >= time.clock_gettime(time.CLOCK_MONOTONIC) - 60
    assert since_boot() <= since_boot()
