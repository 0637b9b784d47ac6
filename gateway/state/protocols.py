"""What each store can do, as protocols: `gateway.state` tells what they are for and how they hang together.

Import them from there. They know neither SQLite nor Redis; an implementation raises StateUnavailable from any of them.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

from gateway.state.cached import Changes, Entry, Observation
from gateway.state.values import Amounts, Balance, Change, Hold, Key, Limit, Replay, Tenant


class Keys(Protocol):
    """Tenants and their keys. Each change writes its audit row in the same step; `by` is who made it."""

    async def add_tenant(self, tenant: Tenant, by: str = "") -> bool:
        """False when the name is taken; nothing is changed then."""

    async def set_limits(self, name: str, limits: Sequence[Limit], by: str = "") -> bool:
        """Replace a tenant's limits. What was spent stays counted. False when there is no such tenant."""

    async def tenant(self, name: str) -> Tenant | None: ...

    async def tenants(self) -> list[Tenant]:
        """All, by name."""

    async def add_key(self, key: Key, by: str = "") -> None:
        """Raises ValueError when its tenant is unknown or its id is taken."""

    async def find(self, key_id: str) -> tuple[Key, Tenant] | None:
        """The key and its tenant, revoked and expired ones too: the caller judges."""

    async def keys(self, tenant: str) -> list[Key]:
        """All of a tenant, oldest first."""

    async def expire(self, key_id: str, at: float, by: str = "") -> bool:
        """End a key at `at`, or when it would have ended anyway, if that is sooner. False when there is no such key."""

    async def revoke(self, key_id: str, at: float, by: str = "") -> bool:
        """False when there is no such key; a second call keeps the first time, and writes no row."""

    async def changes(self, limit: int, subject: str | None = None) -> list[Change]:
        """The newest audit rows, newest first."""


class Budgets(Protocol):
    """Holds and settlements against limits.

    Calls for one request take effect in the order in which they were made, cancelled ones too. So whoever tried `hold`
    calls `settle` on every way out, also after a cancelled `hold` or StateUnavailable: the amount may be set aside.
    Amounts count from the first hold under a limit of that unit and window: a limit added later starts at 0.
    """

    async def hold(self, hold: Hold) -> list[Balance]:
        """Set the amounts aside, against all limits or none; returns the balances after it. Raises OverLimit.

        The windows are chosen here, once: by `hold.at`, and never before one in which the counter was already moved,
        so that a clock that went back reopens nothing. The hold counts in them, whenever it is settled.
        A `request` limit refuses an amount above its own. A limit whose unit is missing from `amounts` does not bind.
        Of several that refuse, the one that will refuse longest is named: `request` first, then the latest to fit.
        Calling it again with the same request_id changes nothing and returns the balances.
        """

    async def checkpoint(self, request_id: str, spent: Amounts, columns: Mapping[str, Any] | None = None) -> None:
        """Note what has been used so far, for `recover`: amounts, and the journal's `columns` that say the same.

        A unit's and a column's newest value counts. No-op if settled or unknown.
        """

    async def settle(self, request_id: str, spent: Amounts, row: Mapping[str, Any] | None = None) -> list[Balance]:
        """Book `spent` (a missing unit is 0) to the hold's own windows, release the rest, write the journal's `row`.

        All in one step; returns the balances. At most what was held is booked, so that no backend's count can break a
        limit. When it was settled before, nothing changes and the list is empty; when the hold is unknown, only the row
        is written.
        """

    async def balances(
        self,
        tenant: str,
        key: str,
        tenant_limits: Sequence[Limit],
        key_limits: Sequence[Limit],
        at: float,
        zone: str = "UTC",
    ) -> list[Balance]:
        """Where these limits stand at time `at`: the tenant's in their order, then the key's."""

    async def recover(self, alive: Callable[[str], bool]) -> list[str]:
        """Settle every open hold whose owner is not alive at its last checkpoint; returns the request ids.

        Each gets its journal row: the hold's draft, the checkpoint's columns, and RECOVERED. A hold without a
        checkpoint was never sent: it is released, and its row has no tokens.
        Call it at start, and now and then: it also forgets counts and settlements that are long past.
        """

    async def open_holds(self) -> list[str]:
        """Request ids not settled yet."""


class Replays(Protocol):
    """Answers kept under a client's Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), per tenant."""

    async def begin(self, replay: Replay, alive: Callable[[str], bool]) -> Replay | None:
        """Claim the key for this request: None when it is now ours, else what is there, done or still running.

        What is older than REPLAY_S, runs for longer than an hour or under an owner that is not alive, is replaced.
        """

    async def finish(self, replay: Replay) -> None:
        """Store the answer of a request that claimed its key; no-op if the key is no longer its own."""

    async def abandon(self, replay: Replay) -> None:
        """Give the key free: nothing was spent, a retry may try again. No-op if the key is no longer its own, and
        after `finish`: what was answered stays."""


class Answers(Protocol):
    """Cached answers. Many gateways share them: each keeps its own index of the vectors, and follows `changes`."""

    async def get(self, key: str, at: float) -> Entry | None:
        """None when absent or expired."""

    async def put(self, entry: Entry) -> None:
        """Replaces an entry of the same key. Where the bound is reached, what saves least for its use and age goes.

        No-op when one of its tags, or all, were purged since it was `created`: what it was made from is no longer true.
        """

    def vectors(self, partition: str, at: float) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        """(key, vector) of the live entries with a vector, in pieces and no order. What comes meanwhile may be missing:
        `changes` since before the call has it."""

    async def nearest(self, partition: str, vector: bytes, k: int) -> list[tuple[str, float]] | None:
        """(key, cosine) of the `k` nearest vectors, nearest first, from an index that the store keeps itself.

        None when it keeps none: whoever compares makes a view of its own, from `vectors` and `changes`.
        """

    async def changes(self, cursor: str | None) -> Changes:
        """What was added and removed since `cursor`, a page of it: the same cursor says that there is no more.

        None: nothing, and the cursor of now.
        """

    async def used(self, key: str, at: float) -> None:
        """An entry was served: for the choice of what goes first. No-op when it is gone."""

    async def remove(self, key: str) -> bool:
        """Forget one entry: it was wrong. False when it was gone."""

    async def purge(self, tag: str | None = None) -> int:
        """Remove the entries with that tag, or all; returns how many."""

    async def purged(self, tags: Sequence[str], since: float) -> bool:
        """Whether one of these tags, or all, was purged at `since` or later: `put` would keep nothing made before."""

    async def count(self) -> int:
        """Entries stored. An expired one counts until the next `put` sweeps it."""


class Feedback(Protocol):
    """What was learned of would-be hits, per pool. Only the newest POOL of each pool are kept."""

    async def observe(self, observation: Observation) -> None:
        """What a user said (source `user`) of one pool, key and time is kept once."""

    async def observations(self, pool: str) -> list[Observation]:
        """Oldest first."""

    async def pools(self) -> list[str]:
        """All that have observations, by name."""


class Claims(Protocol):
    """Who makes an answer that several ask for: one gateway of all that share the store, for as long as it lives."""

    async def claim(self, key: str, owner: str, alive: Callable[[str], bool], at: float) -> bool:
        """True when `key` is ours: nobody had it, or its owner is dead, or silent for longer than CLAIM_S.

        Asking again for what is ours says that we still live.
        """

    async def release(self, key: str, owner: str) -> None:
        """Give the key free; no-op when it is not ours."""


class Journal(Protocol):
    """One row per request, written once, never changed."""

    async def write(self, row: Mapping[str, Any]) -> None:
        """A second row of the same request_id is ignored. Raises ValueError unless `row` has exactly COLUMNS."""

    async def read(self, request_id: str) -> dict[str, Any] | None: ...

    async def latest(self, limit: int, tenant: str | None = None) -> list[dict[str, Any]]:
        """The newest rows, newest first, without `detail`. Of many gateways those of the last 35 days."""

    async def usage(
        self, by: Sequence[str], since: float, until: float, tenant: str | None = None, zone: str = "UTC"
    ) -> list[dict[str, Any]]:
        """Sums per group of the rows with since <= at < until, ordered by the group, None first.

        Each has the group's columns (some of GROUPS; `day` is the date in `zone`), then requests, input_tokens,
        output_tokens, cached_tokens and cost_nano (None when no row had a price). Raises ValueError naming an unknown
        group or zone.
        """

    async def judged(
        self, by: Sequence[str], since: float, until: float, tenant: str | None = None, zone: str = "UTC"
    ) -> list[dict[str, Any]]:
        """The judged answers (whose `checks` are not None) among the same rows: one row for each group and each set
        of checks in it, ordered as `usage` is.

        Each has the group's columns, `checks`, `answers` (how many), `first` (when the first of them came; of many
        gateways, a quarter of an hour before that at most), `output_tokens` (their sum) and `lengths`: how many of them
        had so many output tokens, by `gateway.state.lengths.bucket`. Raises ValueError as `usage` does.
        """
