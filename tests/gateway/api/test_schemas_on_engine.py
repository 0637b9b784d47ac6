"""Some real-world schemas through the gateway to a real vLLM; all: tests/proofs/test_schemas_on_engine."""

from tests.gateway.api.conftest import Gateway
from tests.harness.real_schemas import corpus, proven

SPREAD = slice(5, None, 62)  # eight, of several packages


def test_a_sample_is_answered_or_refused_clearly(real: Gateway) -> None:
    cases = corpus()[SPREAD]
    assert len({case.foretold == set() for case in cases}) == 2
    assert proven(real.url, real.key(), cases).total() == 8
