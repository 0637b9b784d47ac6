from gateway.state.eviction import SPREAD, lifetime, worth


def test_what_saves_more_and_serves_more_is_worth_more() -> None:
    assert worth(300, 0) < worth(300, 1) < worth(301, 1)
    assert worth(100, 2) == worth(300, 0)


def test_what_says_nothing_of_its_savings_is_still_worth_its_use() -> None:
    assert 0 < worth(0, 0) < worth(0, 1)


def test_answers_made_together_expire_over_a_tenth_of_their_life() -> None:
    lives = [lifetime(1_000.0, f"key {number}") for number in range(2_000)]
    assert 1_000 * (1 - SPREAD) < min(lives) < 901
    assert 999 < max(lives) <= 1_000
    tenths = [sum(900 + 10 * n < life <= 910 + 10 * n for life in lives) for n in range(10)]
    assert min(tenths) > 150


def test_a_life_is_the_same_for_the_same_key() -> None:
    assert lifetime(60.0, "a") == lifetime(60.0, "a") != lifetime(60.0, "b")
