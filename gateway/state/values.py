"""What the stores keep and hand out: limits, tenants, keys, holds, balances, cached answers, the journal's columns.

Frozen, and checked where a wrong one could cost money. Import them from `gateway.state`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

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


# The journal's columns: what `usage` can group and sum. `at` and the two times (milliseconds) are float, tokens and
# cost_nano int, `status` any scalar, the rest text; `detail` is JSON text (the stages and decisions of the request).
# All but request_id, at and tenant may be None.
COLUMNS = (
    "request_id", "at", "tenant", "key", "model", "backend", "prompt", "prompt_version", "prompt_digest",
    "status", "error", "stop", "cache", "input_tokens", "output_tokens", "cached_tokens", "token_source",
    "cost_nano", "duration_ms", "ttft_ms", "detail",
)  # fmt: skip
GROUPS = ("day", "tenant", "key", "model", "prompt", "prompt_version")
