"""What must outlive a request, behind small protocols: `Keys`, `Budgets`, `Journal`, `Replays`,
`Answers` and, for the cache beside them, `Feedback` and `Claims`.

Each has an SQLite and a Redis implementation, and one suite of tests (tests/contracts) runs over both.
The protocols know neither HTTP nor prompts. Amounts are whole numbers: requests, tokens, and nano-dollars
(1e-9 USD) for the unit `usd`. Times are seconds since the epoch (UTC) by the state's own `clock`.

The flow of money, told once. Before anything is spent, `hold` sets the largest possible amount aside, all limits at
once or none, and a durable row says so. While the answer streams, `checkpoint` notes what was really used. `settle`
books the real amount, gives the difference back and writes the request's one journal row, all in one step. A hold whose
process died is settled at its last checkpoint by `recover`, which writes that row in its place.

Invariants: per window `used + held <= amount` at every moment; every hold ends in exactly one settlement and one row;
the counters are the sums of the holds. With Redis the counters there are shared memory that may be lost at any time:
the record is each gateway's own file, and the counters are rebuilt from these files before anything is admitted.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.state.cached import CLAIM_S, POOL, Changes, Entry, Observation
from gateway.state.clock import Clock
from gateway.state.protocols import Answers, Budgets, Claims, Feedback, Journal, Keys, Replays
from gateway.state.values import (
    COLUMNS,
    GROUPS,
    MAX_AMOUNT,
    RECOVERED,
    REPLAY_S,
    RUNS_S,
    UNITS,
    WINDOWS,
    Amounts,
    Balance,
    Change,
    Hold,
    Key,
    Limit,
    OverLimit,
    Replay,
    Scopes,
    StateUnavailable,
    Tenant,
    Unit,
    Window,
    known_zone,
)

__all__ = [
    "CLAIM_S",
    "COLUMNS",
    "GROUPS",
    "MAX_AMOUNT",
    "POOL",
    "RECOVERED",
    "REPLAY_S",
    "RUNS_S",
    "UNITS",
    "WINDOWS",
    "Amounts",
    "Answers",
    "Balance",
    "Budgets",
    "Change",
    "Changes",
    "Claims",
    "Clock",
    "Entry",
    "Feedback",
    "Hold",
    "Journal",
    "Key",
    "Keys",
    "Limit",
    "Observation",
    "OverLimit",
    "Replay",
    "Replays",
    "Scopes",
    "State",
    "StateUnavailable",
    "Tenant",
    "Unit",
    "Window",
    "known_zone",
]


@dataclass(frozen=True, slots=True)
class State:
    """All of them, the clock they go by, and how to close them (to be awaited, once).

    `alive` tells whether the process that an owner's name belongs to still runs, as far as that can be told here.
    """

    keys: Keys
    budgets: Budgets
    answers: Answers
    journal: Journal
    replays: Replays
    feedback: Feedback
    claims: Claims
    clock: Clock
    alive: Callable[[str], bool]
    close: Callable[[], Awaitable[None]]
