"""Money in whole nano-dollars: exact decimals, rounded up, and never free by accident."""

import pytest

from gateway.prices import Prices, usd
from gateway.settings import Price
from serving.events import Usage

PRICES = Prices(
    {
        "small": Price(input=1.0, output=2.0, cached=0.1),
        "plain": Price(input=0.1, output=0.3),
        "odd": Price(input=1.001, output=0),
        "gift": Price(input=0, output=0),
        "crumb": Price(input=0.000001, output=0),
    }
)


@pytest.mark.parametrize(
    ("model", "usage", "nano"),
    [
        ("small", Usage(1_000_000, 0), 1_000_000_000),
        ("small", Usage(0, 1_000_000), 2_000_000_000),
        ("small", Usage(13, 2), 17_000),
        ("small", Usage(13, 2, cached_tokens=10), 3_000 + 1_000 + 4_000),
        ("plain", Usage(10, 10, cached_tokens=10), 1_000 + 3_000),  # without a price of its own: as input
        ("odd", Usage(1_000_000, 0), 1_001_000_000),  # 1.001 has no binary fraction; its decimals are exact
        ("gift", Usage(1000, 1000), 0),
        ("crumb", Usage(1, 0), 1),  # rounded up
        ("crumb", Usage(999, 0), 1),
        ("crumb", Usage(1001, 0), 2),
        ("small", Usage(), 0),
    ],
)
def test_usage_costs_whole_nano_dollars_rounded_up(model: str, usage: Usage, nano: int) -> None:
    assert PRICES.cost(model, usage) == nano


def test_a_model_without_a_price_has_no_cost() -> None:
    assert PRICES.cost("free", Usage(5, 5)) is None
    assert usd(None) is None


def test_nano_dollars_as_dollars() -> None:
    assert usd(17_000) == 1.7e-05
