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
from typing import Any, Literal, Protocol

Unit = Literal["requests", "tokens", "usd"]
Window = Literal["request", "minute", "day", "month"]
UNITS: tuple[Unit, ...] = ("requests", "tokens", "usd")
WINDOWS: tuple[Window, ...] = ("request", "minute", "day", "month")

Amounts = Mapping[Unit, int]
# The largest whole number that Redis's Lua (doubles) holds exactly; in nano-dollars nine million dollars.
MAX_AMOUNT = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `amount` of `unit` within `window`: a UTC calendar minute, day or month, or one single `request`.

    Raises ValueError for an amount outside 0 .. MAX_AMOUNT.
    """

    unit: Unit
    window: Window
    amount: int

    def __post_init__(self) -> None:
        if not 0 <= self.amount <= MAX_AMOUNT:
            raise ValueError(f"{self.amount} is no amount for {self.unit}/{self.window}: allowed are 0 to {MAX_AMOUNT}")


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who pays. `name` is unique; limits bind all its keys together."""

    name: str
    limits: tuple[Limit, ...]
    created: float


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a tenant, found by `id`; `digest` is the SHA-256 of its secret (never the secret). Times or None."""

    id: str
    tenant: str
    digest: bytes
    limits: tuple[Limit, ...]
    created: float
    expires: float | None = None
    revoked: float | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """An amount to set aside for one request, judged against every limit of its tenant and its key at time `at`.

    `owner` names the process that holds it (`owners.owner()`), so that a dead process's holds can be told from a slow
    one's. Raises ValueError for a negative amount.
    """

    request_id: str
    tenant: str
    key: str
    owner: str
    amounts: Amounts
    tenant_limits: tuple[Limit, ...]
    key_limits: tuple[Limit, ...]
    at: float

    def __post_init__(self) -> None:
        if any(amount < 0 for amount in self.amounts.values()):
            raise ValueError(f"a hold cannot set a negative amount aside: {dict(self.amounts)}")


@dataclass(frozen=True, slots=True)
class Balance:
    """Where one limit stands. `scope` is `tenant` or `key`; `resets` is when its window ends.

    A `request` limit keeps no count: used, held and resets are 0.
    """

    scope: Literal["tenant", "key"]
    limit: Limit
    used: int
    held: int
    resets: float

    @property
    def remaining(self) -> int:
        return max(0, self.limit.amount - self.used - self.held)


class OverLimit(Exception):
    """Raised by `hold` when a limit would be exceeded; nothing was set aside. `balance` is where that limit stands."""

    def __init__(self, balance: Balance, asked: int) -> None:
        super().__init__(f"{asked} {balance.limit.unit} asked, {balance.remaining} left of {balance.limit.amount}")
        self.balance = balance
        self.asked = asked


class StateUnavailable(Exception):
    """Raised when the store cannot answer (Redis down, disk full). Nothing may be admitted on it.

    Whether a write took effect is unknown then; every write here may be repeated.
    """


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


@dataclass(frozen=True, slots=True)
class Entry:
    """One cached answer. `partition` is the digest of all that must be equal; `key` adds the exact question.

    `vector` is the question's embedding (float32 bytes, unit length) or None where only exact hits are wanted; `body`
    is the answer as JSON bytes; `tags` are what a purge may select by (tenant, prompt, model); `question` is the text
    that was embedded, for comparisons that similarity cannot make.
    """

    key: str
    partition: str
    body: bytes
    created: float
    expires: float
    vector: bytes | None = None
    tags: tuple[str, ...] = ()
    question: str = ""


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


# The journal's columns: what `usage` can group and sum. `at` and the two times (milliseconds) are float, tokens and
# cost_nano int, `status` any scalar, the rest text; `detail` is JSON text (the stages and decisions of the request).
# All but request_id, at and tenant may be None.
COLUMNS = (
    "request_id", "at", "tenant", "key", "model", "backend", "prompt", "prompt_version", "prompt_digest",
    "status", "error", "stop", "cache", "input_tokens", "output_tokens", "cached_tokens", "token_source",
    "cost_nano", "duration_ms", "ttft_ms", "detail",
)  # fmt: skip
GROUPS = ("day", "tenant", "key", "model", "prompt", "prompt_version")


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
