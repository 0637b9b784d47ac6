"""What tokens cost, by the rate card of the settings, in whole nano-dollars. Knows nothing of budgets.

Invariants: integers only, rounded up, so that a sum of requests is never below what its tokens cost; a model without
a price has no cost (None), never a cost of 0.
"""

from collections.abc import Mapping
from decimal import Decimal

from gateway.settings import Price
from serving.events import Usage

NANO = 1_000_000_000
PER = 1_000_000  # prices are quoted per million tokens


def _nano(usd: float) -> int:
    """Dollars to nano-dollars by their decimal digits: 0.1 is exactly 100,000,000."""
    return int(Decimal(str(usd)) * NANO)


class Prices:
    """Costs of usage, per model alias."""

    def __init__(self, table: Mapping[str, Price]) -> None:
        self._rates = {
            alias: (_nano(p.input), _nano(p.input if p.cached is None else p.cached), _nano(p.output))
            for alias, p in table.items()
        }

    def cost(self, model: str, usage: Usage) -> int | None:
        """Nano-dollars of this usage; None when the model has no price."""
        rates = self._rates.get(model)
        if rates is None:
            return None
        fresh, cached, output = rates
        total = (usage.input_tokens - usage.cached_tokens) * fresh + usage.cached_tokens * cached
        return -(-(total + usage.output_tokens * output) // PER)


def usd(nano: int | None) -> float | None:
    """Nano-dollars as dollars, for people and headers."""
    return None if nano is None else nano / NANO
