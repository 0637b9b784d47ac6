"""The files of written pairs: large enough, without repetitions, and with the cosines of the model in use."""

from collections import Counter
from contextlib import closing

import pytest

from retrieval.embed import Embedder
from tests.gateway.similarity.written import ADVERSARIAL, PARAPHRASES


def test_there_are_hundreds_of_each_and_none_twice() -> None:
    assert len({pair[:2] for pair in ADVERSARIAL}) == len(ADVERSARIAL) >= 300
    assert len({pair[:2] for pair in PARAPHRASES}) == len(PARAPHRASES) >= 100


def test_every_kind_of_difference_is_there() -> None:
    kinds = Counter(pair.differs for pair in ADVERSARIAL)
    assert kinds.keys() >= {"numbers", "negation", "entities", "units", "tense", "roles", "opposites", "dates", "long"}
    assert min(kinds.values()) >= 10


def test_most_of_them_would_be_served_by_a_threshold() -> None:
    """Or they would prove nothing."""
    assert sum(pair.similarity >= 0.9 for pair in ADVERSARIAL) > len(ADVERSARIAL) / 2


@pytest.mark.prove
def test_the_similarities_are_those_of_the_embedder() -> None:
    with closing(Embedder()) as embedder:
        for pairs in (ADVERSARIAL, PARAPHRASES):
            first, second = embedder.encode([pair.a for pair in pairs]), embedder.encode([pair.b for pair in pairs])
            cosines = (first * second).sum(axis=1)
            assert [float(cosine) for cosine in cosines] == pytest.approx([p.similarity for p in pairs], abs=1e-3)
