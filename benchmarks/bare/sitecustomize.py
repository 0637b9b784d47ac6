"""With this folder on PYTHONPATH, a gateway runs without its ledger: to measure what the ledger costs otherwise.

Python imports a `sitecustomize` when it starts, so it reaches the workers too. BARE says what is left: `nothing`, or
`rows`, the journal's row of each request as it ends. Nothing is limited, nothing is recovered.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.state import Amounts, Balance, Hold, Journal, Limit, State
from gateway.state import open as opening

_open = opening.open_state


class NoBudgets:
    """`gateway.state.Budgets` that counts nothing; a settlement is its row."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def hold(self, hold: Hold) -> list[Balance]:
        return []

    async def checkpoint(self, request_id: str, spent: Amounts, columns: Mapping[str, Any] | None = None) -> None:
        pass

    async def settle(self, request_id: str, spent: Amounts, row: Mapping[str, Any] | None = None) -> list[Balance]:
        if row is not None:
            await self._journal.write(row)
        return []

    async def balances(
        self,
        tenant: str,
        key: str,
        tenant_limits: Sequence[Limit],
        key_limits: Sequence[Limit],
        at: float,
        zone: str = "UTC",
    ) -> list[Balance]:
        return []

    async def recover(self, alive: Callable[[str], bool]) -> list[str]:
        return []

    async def open_holds(self) -> list[str]:
        return []


class NoJournal:
    """`gateway.state.Journal` that keeps nothing."""

    async def write(self, row: Mapping[str, Any]) -> None:
        pass

    async def read(self, request_id: str) -> dict[str, Any] | None:
        return None

    async def latest(self, limit: int, tenant: str | None = None) -> list[dict[str, Any]]:
        return []

    async def usage(
        self, by: Sequence[str], since: float, until: float, tenant: str | None = None, zone: str = "UTC"
    ) -> list[dict[str, Any]]:
        return []


async def bare(url: str, ledger: str = opening.LEDGER, trust_clock: bool = False) -> State:
    state = await _open(url, ledger, trust_clock)
    journal = state.journal if os.environ["BARE"] == "rows" else NoJournal()
    return replace(state, budgets=NoBudgets(journal), journal=journal)


opening.open_state = bare
