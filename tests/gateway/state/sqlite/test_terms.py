from gateway.state import Limit
from gateway.state.counters import Meter
from gateway.state.sqlite.terms import kept_terms, terms

MONEY, SINGLE, TOKENS = Limit("usd", "month", 5), Limit("tokens", "request", 9), Limit("tokens", "day", 7)


def test_terms_are_the_same_from_the_text_that_is_kept() -> None:
    judged = terms("acme", "k1", (MONEY, SINGLE), (TOKENS,))
    assert [bound.limit for bound in judged.bounds] == [MONEY, SINGLE, TOKENS]
    assert judged.meters == (Meter("tenant", "acme", "usd", "month"), Meter("key", "k1", "tokens", "day"))
    assert kept_terms(judged.text) == judged


def test_another_key_or_another_limit_has_other_terms() -> None:
    first = terms("acme", "k1", (), (TOKENS,))
    assert terms("acme", "k2", (), (TOKENS,)).meters != first.meters
    assert terms("acme", "k1", (), (Limit("tokens", "day", 8),)).bounds != first.bounds
