"""What the stores keep and hand out: limits, tenants, keys, holds, balances, changes, stored replies.

Frozen, and checked where a wrong one could cost money. What the cache keeps: `cached.py`. Import them from
`gateway.state`.
"""

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Literal
from zoneinfo import ZoneInfo

from serving.frozen import dataclass

Unit = Literal["requests", "tokens", "usd"]
Window = Literal["request", "minute", "day", "month"]
UNITS: tuple[Unit, ...] = ("requests", "tokens", "usd")
WINDOWS: tuple[Window, ...] = ("request", "minute", "day", "month")

Amounts = Mapping[Unit, int]
# The largest whole number that Redis's Lua (doubles) holds exactly; in nano-dollars nine million dollars.
MAX_AMOUNT = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `amount` of `unit` within `window`.

    `minute` slides: at most that much in any 60 seconds. `day` and `month` are the calendar's in the tenant's time
    zone. `request` bounds every single request. Raises ValueError for an amount outside 0 .. MAX_AMOUNT.
    """

    unit: Unit
    window: Window
    amount: int

    def __post_init__(self) -> None:
        if not 0 <= self.amount <= MAX_AMOUNT:
            raise ValueError(f"{self.amount} is no amount for {self.unit}/{self.window}: allowed are 0 to {MAX_AMOUNT}")


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who pays. `name` is unique; limits bind all its keys together.

    `zone` (IANA, such as `Europe/Berlin`) is where its days and months begin; it never changes, for a change would
    begin new windows beside those that are spent. Raises ValueError for an unknown zone.
    """

    name: str
    limits: tuple[Limit, ...]
    created: float
    zone: str = "UTC"

    def __post_init__(self) -> None:
        known_zone(self.zone)


def known_zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError) as error:  # no such zone, a path, a folder
        raise ValueError(f"there is no time zone {name!r}: write an IANA name such as Europe/Berlin") from error


@dataclass(frozen=True, slots=True)
class Scopes:
    """What a key may use: names, or beginnings of names with a final `*`. None: everything of that kind.

    `tags` are stamped on every request of the key: a request may repeat such a tag, not give it another value, so that
    usage by tag cannot be forged. `access` are the labels that the key holds, none unless granted: it finds the
    documents that have no labels, and those whose labels it holds all.
    """

    models: tuple[str, ...] | None = None
    prompts: tuple[str, ...] | None = None
    collections: tuple[str, ...] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    access: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a tenant, found by `id`; `digest` is the SHA-256 of its secret (never the secret). Times or None.

    `label` is for people.
    """

    id: str
    tenant: str
    digest: bytes
    limits: tuple[Limit, ...]
    created: float
    expires: float | None = None
    revoked: float | None = None
    label: str = ""
    scopes: Scopes = Scopes()


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the audit: who (`by`: `admin`, `cli:<user>`) did what (`key.revoke`) to which `subject` (an id).

    `detail` says what it came to (limits, scopes, times); never a secret or a digest.
    """

    at: float
    by: str
    action: str
    subject: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hold:
    """An amount to set aside for one request, judged against every limit of its tenant and its key at time `at`.

    `owner` names the process that holds it (`owners.owner()`), so that a dead process's holds can be told from a slow
    one's. `zone` is the tenant's; `draft` is what is known of the journal's row by now (some of COLUMNS), for the row
    that `recover` writes; `spent` is its first checkpoint, where the request is on its way as soon as it is held: the
    draft says the same then. Raises ValueError for a negative amount.
    """

    request_id: str
    tenant: str
    key: str
    owner: str
    amounts: Amounts
    tenant_limits: tuple[Limit, ...]
    key_limits: tuple[Limit, ...]
    at: float
    zone: str = "UTC"
    draft: Mapping[str, Any] = field(default_factory=dict)
    spent: Amounts = field(default_factory=dict)

    def __post_init__(self) -> None:
        if any(amount < 0 for amount in self.amounts.values()):
            raise ValueError(f"a hold cannot set a negative amount aside: {dict(self.amounts)}")


@dataclass(frozen=True, slots=True)
class Balance:
    """Where one limit stands. `scope` is `tenant` or `key`; `resets` is when it is back to its full amount.

    That is the window's end; for a sliding minute, when the newest of what counts has slid out of it (the time asked,
    when nothing counts). A `request` limit keeps no count: used, held and resets are 0.
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
    """Raised by `hold` when a limit would be exceeded; nothing was set aside. `balance` is where that limit stands.

    `fits` is the earliest time at which `asked` fits if nothing else is spent: a calendar window's end; for a sliding
    minute, when enough has slid out of it. An amount above the limit never fits; `fits` is the balance's `resets` then.
    """

    def __init__(self, balance: Balance, asked: int, fits: float | None = None) -> None:
        super().__init__(f"{asked} {balance.limit.unit} asked, {balance.remaining} left of {balance.limit.amount}")
        self.balance = balance
        self.asked = asked
        self.fits = balance.resets if fits is None else fits


class StateUnavailable(Exception):
    """Raised when the store cannot answer (Redis down, disk full). Nothing may be admitted on it.

    Whether a write took effect is unknown then; every write here may be repeated.
    """


@dataclass(frozen=True, slots=True)
class Replay:
    """What is stored under a client's `Idempotency-Key` (`key`, of one tenant), for REPLAY_S after `at`.

    `digest` is the SHA-256 of the request; `owner` the process that works on it. `status`, `content_type` and `body`
    are the answer's, once it is done; until then `status` is 0.
    """

    tenant: str
    key: str
    digest: bytes
    request_id: str
    owner: str
    at: float
    status: int = 0
    content_type: str = ""
    body: bytes = b""

    def over(self, at: float, alive: Callable[[str], bool]) -> bool:
        """Whether another request may have the key: this is too old, or nobody works on it any more."""
        if self.status:
            return self.at <= at - REPLAY_S
        return self.at <= at - RUNS_S or not alive(self.owner)


REPLAY_S = 86_400.0  # as long as Stripe keeps them (docs.stripe.com/api/idempotent_requests)
# What runs longer than six times the default deadline of a backend runs nowhere: its machine is gone.
RUNS_S = 3_600.0

# The journal's columns: what `usage` can group and sum. `at` and the two times (milliseconds) are float, tokens and
# cost_nano int, `status` any scalar, the rest text. `tags` is a JSON object of texts, sorted by name. `checks` are
# words (`gateway.quality.words`) with spaces between: none where an answer was judged and nothing found, None where
# there was nothing to judge. `detail` is JSON text (the stages and decisions of the request). All but request_id, at
# and tenant may be None. New ones go before `detail`: a row in Redis is a list, which in an older one is shorter.
COLUMNS = (
    "request_id", "at", "tenant", "key", "model", "backend", "prompt", "prompt_version", "prompt_digest", "tags",
    "status", "error", "stop", "cache", "input_tokens", "output_tokens", "cached_tokens", "token_source",
    "cost_nano", "duration_ms", "ttft_ms", "cause", "fingerprint", "checks", "detail",
)  # fmt: skip
# `tag` groups by all tags of a request together (each request counts once), `tag:<name>` by the value of one.
GROUPS = ("day", "tenant", "key", "model", "prompt", "prompt_version", "fingerprint", "tag")
# What the row of a recovered request says beside its draft and its checkpoint: nobody saw how it ended.
RECOVERED: Mapping[str, Any] = {"status": 0, "error": "process_died", "stop": None, "token_source": "estimate"}
