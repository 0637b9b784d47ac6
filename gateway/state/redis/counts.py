"""The holds and counters that gateways share in Redis: each method is one script, one atomic step on one tenant's keys.

Knows how keys and fields are named and how replies read. Decides nothing, knows no file. Raises StateUnavailable.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

from gateway.state import Amounts, Hold
from gateway.state.counters import KEEP, Bound, Counter, Live, Meter, Standing, counter_at, metered, oversize
from gateway.state.redis import scripts
from gateway.state.redis.server import Server, pieces, tagged
from gateway.state.rows import drafted
from gateway.state.sqlite.counters import Total
from gateway.state.sqlite.pending import Pending
from gateway.state.windows import MINUTE

AT_ONCE = 500  # counters a call: some milliseconds of the server's time

What = Literal["held", "settled", "refused", "leased", "lost"]
Standings = dict[Meter, Standing]


class Member(NamedTuple):
    """One process: `node` names its machine's file, `process` is unique."""

    node: str
    process: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What Redis said to a hold; `counters` are those it counts on (when `held`), in the order of the meters.

    `settled`: it was before. `leased`: refused, but it would fit if no lease were held. `lost`: the counters are not
    whole, or this process has not told its own.
    """

    what: What
    counters: tuple[Counter, ...]
    standings: Standings


class Counts:
    """For one process of a machine."""

    def __init__(self, client: Server, member: Member) -> None:
        self._client, self._member = client, member
        self._hold = client.register_script(scripts.HOLD)
        self._checkpoint = client.register_script(scripts.CHECKPOINT)
        self._settle = client.register_script(scripts.SETTLE)
        self._look = client.register_script(scripts.LOOK)
        self._tell = client.register_script(scripts.TELL)

    async def hold(self, hold: Hold, bounds: Sequence[Bound], ahead: int | None = None) -> Reply:
        """`ahead` makes it a lease, which counts so many seconds later in sliding minutes: as long it may be spent."""
        meters = metered(bounds)
        terms = [_term(hold, counter_at(meter, hold.at, hold.zone), bounds, ahead or 0) for meter in meters]
        fields = self._fields(hold.owner, drafted(hold), hold.spent, {})
        single = int(not oversize(bounds, hold.amounts))
        ask = ("ask" if ahead is None else "lease", single, fields)
        what, starts, *numbers = await self._asked(hold.tenant, hold.request_id, ask, meters, terms)
        counted = zip(meters, starts.split(b",") if starts else [], strict=False)
        counters = tuple(counter_at(meter, float(start), hold.zone) for meter, start in counted)
        return Reply(cast(What, what.decode()), counters, _standings(meters, numbers, hold.zone))

    async def force(self, pending: Pending, at: float) -> None:
        """What a file says is held is held. No-op when it is there, or settled."""
        terms = [
            (c.start, _reach(c.meter), 0, pending.amounts.get(c.unit, ""), 0, _seconds(c, at), c.unit)
            for c in pending.counters
        ]
        ask = ("force", 1, self._fields(pending.owner, pending.draft, pending.spent, pending.columns))
        meters = [counter.meter for counter in pending.counters]
        await self._asked(pending.tenant, pending.request_id, ask, meters, terms)

    async def checkpoint(self, tenant: str, request_id: str, spent: Amounts, columns: Mapping[str, Any]) -> None:
        """No-op when it is settled or unknown."""
        await self._checkpoint(keys=[hold_key(tenant, request_id)], args=_flat(_noted(spent, columns)))

    async def tell(self, tenant: str, totals: Sequence[Total], at: float) -> None:
        """What this machine has used; never less than was told before."""
        for piece in pieces(totals, AT_ONCE):
            keys = [meter_key(tenant, total.counter.meter) for total in piece]
            args = [part for total in piece for part in _used(total, at)]
            await self._tell(keys=keys, args=[self._member.node, *args])

    async def settle(
        self,
        tenant: str,
        request_id: str,
        totals: Iterable[Total] = (),
        meters: Sequence[Meter] = (),
        at: float = 0.0,
        zone: str = "UTC",
        lease: bool = False,
    ) -> Standings:
        """End a hold: what it set aside comes off, and `totals` are what this machine has used, its own included.

        Returns how `meters` stand at `at` then. No-op but for the totals when it was settled; it stays settled.
        """
        totals = list(totals)
        keys = [hold_key(tenant, request_id), open_key(tenant, lease)]
        keys += [meter_key(tenant, meter) for meter in (*(total.counter.meter for total in totals), *meters)]
        told = [part for total in totals for part in _used(total, at)]
        asked = [part for meter in meters for part in (counter_at(meter, at, zone).start, _reach(meter))]
        args = [request_id, self._member.node, scripts.MARK_S, len(totals), *told, *asked]
        return _standings(meters, await self._settle(keys=keys, args=args), zone)

    async def look(self, tenant: str, meters: Sequence[Meter], at: float, zone: str) -> Standings | None:
        """How the meters stand; None when the counters are not whole."""
        keys = [*epoch_keys(tenant), *(meter_key(tenant, meter) for meter in meters)]
        asked = [part for meter in meters for part in (counter_at(meter, at, zone).start, _reach(meter))]
        whole, *numbers = await self._look(keys=keys, args=[self._member.process, *asked])
        return _standings(meters, numbers, zone) if whole else None

    async def live(self, tenant: str, meter: Meter) -> list[Live]:
        """The seconds of a sliding minute with what counts in each."""
        sums: dict[int, int] = {}
        fields = await self._client.hgetall(meter_key(tenant, meter))
        for name, amount in fields.items():
            kind, _, start = name.partition(b":")
            if kind in (b"u", b"h", b"l"):
                second = int(start.partition(b":")[0])
                sums[second] = sums.get(second, 0) + int(amount)
        return [Live(second + 1 + MINUTE, amount) for second, amount in sums.items()]

    async def leased(self, tenant: str) -> bool:
        """Whether anybody holds a lease."""
        return bool(await self._client.scard(open_key(tenant, lease=True)))

    async def _asked(
        self, tenant: str, request_id: str, ask: tuple[str, int, list[Any]], meters: Sequence[Meter], terms: list[Any]
    ) -> list[Any]:
        mode, single, fields = ask
        keys = [hold_key(tenant, request_id), open_key(tenant, mode == "lease"), *epoch_keys(tenant)]
        keys += [meter_key(tenant, meter) for meter in meters]
        args = [request_id, self._member.process, mode, single, len(fields), *fields]
        return list(await self._hold(keys=keys, args=args + [part for term in terms for part in term]))

    def _fields(self, owner: str, draft: Mapping[str, Any], spent: Amounts, columns: Mapping[str, Any]) -> list[Any]:
        """All that another machine needs to settle the hold, should this one never come back."""
        named = {"node": self._member.node, "process": self._member.process, "owner": owner}
        return _flat({**named, "draft": json.dumps(dict(draft)), **_noted(spent, columns)})


def hold_key(tenant: str, request_id: str) -> str:
    return tagged(tenant, "hold", request_id)


def open_key(tenant: str, lease: bool = False) -> str:
    """The ids of a tenant's open holds; of its leases apart, for no request has them."""
    return tagged(tenant, "leases" if lease else "open")


def epoch_keys(tenant: str) -> tuple[str, str]:
    return tagged(tenant, "epoch"), tagged(tenant, "joined")


def meter_key(tenant: str, meter: Meter) -> str:
    return tagged(tenant, "count", meter.scope, meter.name, meter.unit, meter.window)


def _used(total: Total, at: float) -> tuple[int, int, int]:
    """What a machine's file says of a counter: its start, what was used, seconds to keep it."""
    return total.counter.start, total.used, _seconds(total.counter, at)


def _term(hold: Hold, counter: Counter, bounds: Iterable[Bound], ahead: int) -> tuple[Any, ...]:
    tightest = min(bound.limit.amount for bound in bounds if bound.meter == counter.meter)
    later = ahead if counter.window == "minute" else 0
    asked = hold.amounts.get(counter.unit, "")
    seconds = _seconds(counter, hold.at) + later
    return counter.start, _reach(counter.meter), later, asked, tightest, seconds, counter.unit


def _reach(meter: Meter) -> int:
    """How much older than the newest second what still counts may be (`windows.span`)."""
    return MINUTE if meter.window == "minute" else 0


def _seconds(counter: Counter, at: float) -> int:
    return max(0, int(counter.end - at)) + KEEP


def _standings(meters: Sequence[Meter], numbers: Sequence[int], zone: str) -> Standings:
    """`numbers`: start, used, held and the newest start that is not 0 of each meter in turn."""
    quads = [numbers[place : place + 4] for place in range(0, len(numbers), 4)]
    return {meter: _standing(meter, quad, zone) for meter, quad in zip(meters, quads, strict=False)}


def _standing(meter: Meter, numbers: Sequence[int], zone: str) -> Standing:
    start, used, held, newest = numbers
    last = newest if meter.window == "minute" else start
    return Standing(used, held, 0 if last < 0 else counter_at(meter, float(last), zone).end)


def _noted(spent: Amounts, columns: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint's fields, each its own: the newest value of each counts."""
    texts = {f"column:{name}": json.dumps(value) for name, value in columns.items()}
    return {f"spent:{unit}": amount for unit, amount in spent.items()} | texts


def _flat(fields: Mapping[str, Any]) -> list[Any]:
    return [part for pair in fields.items() for part in pair]
