"""What similarity does not see: a table of pairs that mean different things, and of some that mean the same."""

import pytest

from gateway.similarity.veto import veto

DIFFERENT = [
    ("Keep logs for 500 days?", "Keep logs for 50 days?", "its numbers"),
    ("What changed in 3.11?", "What changed in 3.12?", "its numbers"),
    ("Is 1,000 enough?", "Is 1,001 enough?", "its numbers"),
    ("Meet at 10:30?", "Meet at 10:45?", "its numbers"),
    ("Compare 2 and 2", "Compare 2", "its numbers"),
    ("What is IPv4?", "What is IPv6?", "its numbers"),
    ("May I restart it?", "May I not restart it?", "a negation"),
    ("Why does it start?", "Why doesn't it start?", "a negation"),
    ("Can I do that?", "Can I never do that?", "a negation"),
    ("With a key?", "Without a key?", "a negation"),
    ("How do I enable it?", "How do I disable it?", "a negation"),
    ("Who may connect?", "Who may disconnect?", "a negation"),
    ("Who CAN?", "Who CANNOT?", "a negation"),
    ("Is it available?", "Is it unavailable?", "a negation"),
]
ALIKE = [
    ("What does the cache do?", "What is the cache doing?"),
    ("Keep 50 logs for 3 days?", "For 3 days, keep 50 logs?"),
    ("Why can't it start?", "Why does it not start?"),
    ("Is a notebook under the table?", "Is the notebook under a table?"),
]


@pytest.mark.parametrize(("one", "other", "against"), DIFFERENT)
def test_a_difference_speaks_against_it_both_ways(one: str, other: str, against: str) -> None:
    assert veto(one, other) == veto(other, one) == against


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_nothing_speaks_against_the_same(one: str, other: str) -> None:
    assert veto(one, other) is None
    assert veto(one, one) is None
