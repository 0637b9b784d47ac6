"""Where the judge's work is seen. What `tollgate cache stats` makes of it: tests/gateway/test_savings.py."""

import asyncio
import logging
from typing import Any

import pytest

from gateway.caching.judgements import JUDGE, Judgements
from gateway.caching.opinion import Judgement
from gateway.prices import Prices
from gateway.settings import Price
from gateway.state import StateUnavailable
from gateway.state.open import open_state
from serving.events import Usage

PRICES = Prices({"small": Price(input=1.0, output=2.0)})
SAME = Judgement("small", "same", Usage(500, 4, 128), 1_790_000_000.0, 0.25)


def told(judgement: Judgement, counted: list[Judgement]) -> list[dict[str, Any]]:
    """The journal after one judgement."""

    async def run() -> list[dict[str, Any]]:
        state = await open_state("sqlite:///:memory:")
        try:
            await Judgements(state.journal, PRICES, counted.append)(judgement)
            return await state.journal.latest(10)
        finally:
            await state.close()

    return asyncio.run(run())


def test_it_is_counted_logged_and_written_under_no_tenants_name(caplog: pytest.LogCaptureFixture) -> None:
    counted: list[Judgement] = []
    with caplog.at_level(logging.INFO, "tollgate.cache"):
        (row,) = told(SAME, counted)
    assert counted == [SAME]
    assert (row["tenant"], row["model"], row["stop"], row["at"]) == (JUDGE, "small", "same", SAME.at)
    assert (row["input_tokens"], row["output_tokens"], row["cached_tokens"], row["cost_nano"]) == (500, 4, 128, 508_000)
    assert [record.getMessage() for record in caplog.records if record.name == "tollgate.cache"] == [
        "two answers were judged by small: same, 500 + 4 tokens, 0.2 s"
    ]


def test_where_nobody_was_asked_there_is_no_row() -> None:
    counted: list[Judgement] = []
    refused = Judgement("small", "refused", Usage(), 1.0, 0.0)
    assert told(refused, counted) == []
    assert counted == [refused]


def test_a_store_that_is_away_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    class Away:
        async def write(self, row: Any) -> None:
            raise StateUnavailable("gone")

    journal: Any = Away()
    asyncio.run(Judgements(journal, PRICES, lambda _: None)(SAME))
    assert "could not be noted: gone" in caplog.text
