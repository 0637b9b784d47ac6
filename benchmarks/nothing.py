"""A state that counts and keeps nothing: what a gateway costs without its ledger is measured on it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.state import Amounts, Balance, Hold, Journal, Limit


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

    async def judged(
        self, by: Sequence[str], since: float, until: float, tenant: str | None = None, zone: str = "UTC"
    ) -> list[dict[str, Any]]:
        return []
