"""What the contract tests of budgets share: a hold of one tenant and key, and how balances are read."""

import time
from collections.abc import Sequence

from gateway.state import COLUMNS, Amounts, Balance, Budgets, Hold, Limit, State

DAY = 86_400
# The day after tomorrow at noon (UTC). To come, because `recover` forgets what is long past, and because a settlement's
# balances stand where the newest counter begins, if that is later than now.
MIDNIGHT = (time.time() // DAY + 2) * DAY
NOON = MIDNIGHT + DAY / 2

TOKENS = Limit("tokens", "day", 50)
REQUESTS = Limit("requests", "minute", 100)


def hold(
    request_id: str, amounts: Amounts, *limits: Limit, key_limits: tuple[Limit, ...] = (), at: float = NOON
) -> Hold:
    return Hold(request_id, "acme", "k1", "owner", amounts, limits, key_limits, at)


async def standing(
    budgets: Budgets, *limits: Limit, key_limits: Sequence[Limit] = (), at: float = NOON
) -> list[Balance]:
    return await budgets.balances("acme", "k1", limits, key_limits, at)


def figures(balances: list[Balance]) -> list[tuple[int, int]]:
    """(used, held) of each."""
    return [(balance.used, balance.held) for balance in balances]


def row(request_id: str, **columns: object) -> dict[str, object]:
    """A journal row of `acme`."""
    return dict.fromkeys(COLUMNS) | {"request_id": request_id, "at": NOON, "tenant": "acme", **columns}


async def rows(state: State) -> int:
    """How many the journal has."""
    return len(await state.journal.latest(1_000_000))
