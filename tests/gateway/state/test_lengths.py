"""A histogram's buckets: in order, without gaps, and true to a sixteenth."""

import itertools

from gateway.state.lengths import bucket, middle


def test_buckets_rise_one_by_one_with_the_length() -> None:
    found = [bucket(tokens) for tokens in range(200_000)]
    steps = {after - before for before, after in itertools.pairwise(found)}
    assert steps == {0, 1}
    assert found[:17] == list(range(17))
    assert found[128_000] < 128


def test_the_middle_of_a_bucket_is_a_length_in_it_to_a_sixteenth() -> None:
    for tokens in (*range(5_000), 99_999, 131_072, 10**9):
        assert abs(middle(bucket(tokens)) - tokens) <= tokens / 16
        assert bucket(round(middle(bucket(tokens)))) == bucket(tokens)


def test_what_cannot_be_a_length_is_none() -> None:
    assert bucket(-5) == bucket(0) == 0
    assert middle(0) == 0.0
