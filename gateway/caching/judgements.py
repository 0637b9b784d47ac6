"""Where the judge's work is seen: a metric, a log line and a row of the journal each, under a name that is no tenant's.

Nobody's budget pays for it, so that none is bound by it; what it used stands in the journal beside what tenants used.
"""

import logging
import secrets
from collections.abc import Callable
from typing import Any

from gateway.caching.opinion import Judgement
from gateway.prices import Prices
from gateway.state import COLUMNS, Journal, StateUnavailable

log = logging.getLogger("tollgate.cache")

JUDGE = "(judge)"  # a tenant's name has no brackets


class Judgements:
    """Tells of each; `count` is the metric's."""

    def __init__(self, journal: Journal, prices: Prices, count: Callable[[Judgement], None]) -> None:
        self._journal, self._prices, self._count = journal, prices, count

    async def __call__(self, judgement: Judgement) -> None:
        used = judgement.usage
        self._count(judgement)
        if judgement.outcome == "refused":  # often so, and nobody was asked
            return
        log.info(
            "two answers were judged by %s: %s, %d + %d tokens, %.1f s",
            judgement.model, judgement.outcome, used.input_tokens, used.output_tokens, judgement.seconds,
        )  # fmt: skip
        try:
            await self._journal.write(_row(judgement, self._prices))
        except StateUnavailable as error:
            log.warning("what the judge used could not be noted: %s", error)


def _row(judgement: Judgement, prices: Prices) -> dict[str, Any]:
    used = judgement.usage
    return dict.fromkeys(COLUMNS) | {
        "request_id": f"judge-{secrets.token_hex(12)}",
        "at": judgement.at,
        "tenant": JUDGE,
        "model": judgement.model,
        "stop": judgement.outcome,
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "cached_tokens": used.cached_tokens,
        "status": 200,
        "token_source": "exact",
        "cost_nano": prices.cost(judgement.model, used),
        "duration_ms": round(judgement.seconds * 1e3, 3),
    }
