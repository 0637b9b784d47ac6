"""What the settings would have served: counted on the half that taught nothing."""

from typing import NamedTuple

from gateway.similarity import report
from gateway.similarity.bounds import upper


class Seen(NamedTuple):
    probability: float
    right: bool = True


def test_every_setting_is_counted() -> None:
    found = report.settings("open", [Seen(0.96), Seen(0.96), Seen(0.992), Seen(0.999)], rates=(0.05, 0.01))
    assert [(s.max_error_rate, s.seen, s.hits, s.hit_rate) for s in found] == [(0.01, 4, 2, 0.5), (0.05, 4, 4, 1.0)]


def test_what_was_wrong_is_counted_with_its_limits() -> None:
    (setting,) = report.settings("open", [Seen(0.999, right=n != 5) for n in range(400)], rates=(0.05,))
    assert (setting.hits, setting.wrong, setting.wrong_rate) == (400, 1, 1 / 400)
    assert 0 < setting.low < 1 / 400 < setting.high < 0.02


def test_a_half_is_not_judged_by_what_itself_taught() -> None:
    """Every second one is wrong: each half alone would look all right or all wrong."""
    found = report.settings("open", [Seen(0.991, right=n % 2 == 0) for n in range(2000)], rates=(0.01,))
    assert found[0].wrong == found[0].hits == 1000


def test_nothing_seen() -> None:
    (setting,) = report.settings("open", [], rates=(0.01,))
    assert (setting.hits, setting.hit_rate, setting.wrong_rate, setting.low, setting.high) == (0, 0.0, 0.0, 0.0, 1.0)


def test_the_setting_that_meets_the_target_serves_most() -> None:
    found = report.settings("open", [Seen(0.96 + n % 4 / 100) for n in range(1000)])
    best = report.meeting(found, 0.01)
    assert best is not None
    assert best.hits == max(setting.hits for setting in found)
    assert report.meeting(found, 0.0001) is None


def test_what_nobody_could_tell_may_have_been_either() -> None:
    seen, unknown = [Seen(0.999)] * 400, [Seen(0.999, False)] * 10 + [Seen(0.6, False)] * 5
    (setting,) = report.settings("open", seen, (0.05,), unknown)
    assert (setting.hits, setting.wrong, setting.undecided) == (400, 0, 10)
    assert (setting.low, setting.high) == (0.0, upper(10, 410, 0.975))
    assert report.meeting([setting], 0.01) is None
    assert report.meeting(report.settings("open", seen, (0.05,)), 0.01) is not None
