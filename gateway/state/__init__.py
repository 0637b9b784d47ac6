"""What must outlive a request, behind four small protocols: `Keys`, `Budgets`, `Answers`, `Journal`.

Each has an SQLite and a Redis implementation, and one suite of tests (tests/contracts) runs over both.
The protocols know neither HTTP nor prompts. Amounts are whole numbers: requests, tokens, and nano-dollars
(1e-9 USD) for the unit `usd`. Times are seconds since the epoch (UTC).

The flow of money, told once: before anything is spent, `hold` sets the largest possible amount aside, all limits at
once or none; while the answer streams, `checkpoint` notes what was really used; `settle` books the real amount and
gives the difference back. A hold whose process died is settled at its last checkpoint by `recover`. Per window
`used + held <= amount` at every moment, and every hold ends in exactly one settlement.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.state.values import (
    COLUMNS,
    GROUPS,
    MAX_AMOUNT,
    UNITS,
    WINDOWS,
    Amounts,
    Balance,
    Entry,
    Hold,
    Key,
    Limit,
    OverLimit,
    StateUnavailable,
    Tenant,
    Unit,
    Window,
)

__all__ = [
    "COLUMNS",
    "GROUPS",
    "MAX_AMOUNT",
    "UNITS",
    "WINDOWS",
    "Amounts",
    "Answers",
    "Balance",
    "Budgets",
    "Entry",
    "Hold",
    "Journal",
    "Key",
    "Keys",
    "Limit",
    "OverLimit",
    "State",
    "StateUnavailable",
    "Tenant",
    "Unit",
    "Window",
]


class Keys(Protocol):
    """Tenants and their keys."""

    async def add_tenant(self, tenant: Tenant) -> bool:
        """False when the name is taken; nothing is changed then."""

    async def tenant(self, name: str) -> Tenant | None: ...

    async def tenants(self) -> list[Tenant]:
        """All, by name."""

    async def add_key(self, key: Key) -> None:
        """Raises ValueError when its tenant is unknown or its id is taken."""

    async def find(self, key_id: str) -> tuple[Key, Tenant] | None:
        """The key and its tenant, revoked and expired ones too: the caller judges."""

    async def keys(self, tenant: str) -> list[Key]:
        """All of a tenant, oldest first."""

    async def revoke(self, key_id: str, at: float) -> bool:
        """False when there is no such key; a second call keeps the first time."""


class Budgets(Protocol):
    """Holds and settlements against limits.

    Calls for one request take effect in the order in which they were made, cancelled ones too. So whoever tried `hold`
    calls `settle` on every way out, also after a cancelled `hold` or StateUnavailable: the amount may be set aside.
    Amounts count from the first hold under a limit of that unit and window: a limit added later starts at 0.
    """

    async def hold(self, hold: Hold) -> list[Balance]:
        """Set the amounts aside, against all limits or none; returns the balances after it. Raises OverLimit.

        A `request` limit refuses an amount above its own. A limit whose unit is missing from `amounts` does not bind.
        Of several that refuse, the one that will refuse longest is named: `request` first, then the latest to reset.
        Calling it again with the same request_id changes nothing and returns the balances.
        """

    async def checkpoint(self, request_id: str, spent: Amounts) -> None:
        """Note what has been used so far, for `recover`; a unit's newest amount counts. No-op if settled or unknown."""

    async def settle(self, request_id: str, spent: Amounts) -> list[Balance]:
        """Book `spent` (a missing unit is 0) to the hold's own windows and release the rest; returns the balances.

        At most what was held is booked, so that no backend's count can break a limit. When unknown or settled before,
        nothing changes and the list is empty.
        """

    async def balances(
        self, tenant: str, key: str, tenant_limits: Sequence[Limit], key_limits: Sequence[Limit], at: float
    ) -> list[Balance]:
        """Where these limits stand at time `at`: the tenant's in their order, then the key's."""

    async def recover(self, alive: Callable[[str], bool]) -> list[str]:
        """Settle every open hold whose owner is not alive at its last checkpoint; returns the request ids.

        Call it at start, and now and then: it also forgets counts and settlements that are long past.
        """

    async def open_holds(self) -> list[str]:
        """Request ids not settled yet."""


class Answers(Protocol):
    """Cached answers."""

    async def get(self, key: str, at: float) -> Entry | None:
        """None when absent or expired."""

    async def put(self, entry: Entry) -> None:
        """Replaces an entry of the same key."""

    async def vectors(self, partition: str, at: float) -> list[tuple[str, bytes]]:
        """(key, vector) of the live entries with a vector, oldest first."""

    async def purge(self, tag: str | None = None) -> int:
        """Remove the entries with that tag, or all; returns how many."""

    async def count(self) -> int:
        """Entries stored. An expired one counts until the next `put` sweeps it."""


class Journal(Protocol):
    """One row per request, written once, never changed."""

    async def write(self, row: Mapping[str, Any]) -> None:
        """A second row of the same request_id is ignored. Raises ValueError unless `row` has exactly COLUMNS."""

    async def read(self, request_id: str) -> dict[str, Any] | None: ...

    async def latest(self, limit: int, tenant: str | None = None) -> list[dict[str, Any]]:
        """The newest rows, newest first, without `detail`."""

    async def usage(
        self, by: Sequence[str], since: float, until: float, tenant: str | None = None
    ) -> list[dict[str, Any]]:
        """Sums per group of the rows with since <= at < until, ordered by the group, None first.

        Each has the group's columns (some of GROUPS; `day` is the UTC date), then requests, input_tokens,
        output_tokens, cached_tokens and cost_nano (None when no row had a price). Raises ValueError naming an unknown
        group.
        """


@dataclass(frozen=True, slots=True)
class State:
    """The four, and how to close them (to be awaited, once)."""

    keys: Keys
    budgets: Budgets
    answers: Answers
    journal: Journal
    close: Callable[[], Awaitable[None]]
