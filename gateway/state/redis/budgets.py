"""Holds and settlements in Redis. The decisions are Lua (`scripts.py`); this module names keys and reads replies.

Per tenant: `hold:<request id>`, `open` (ids of open holds), `count:...` (counters; they outlive their window by KEEP).
`tollgate:holders` lists the tenants that ever held, so that `recover` finds every open hold.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from redis.exceptions import NoScriptError

from gateway.state import UNITS, Amounts, Balance, Hold, Limit
from gateway.state.counters import (
    KEEP,
    Bound,
    Counter,
    Standing,
    balances,
    bind,
    bind_hold,
    metered,
    dump_bounds,
    load_bounds,
    oversize,
    refuse,
)
from gateway.state.redis.scripts import CHECKPOINT, HOLD, SETTLE
from gateway.state.redis.server import PREFIX, Client, finished, tagged, translated

_HOLDERS = PREFIX + "holders"


class RedisBudgets:
    """`gateway.state.Budgets` over one server."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._hold = client.register_script(HOLD)
        self._checkpoint = client.register_script(CHECKPOINT)
        self._settle = client.register_script(SETTLE)
        # Request id -> tenant, of the holds tried here and not settled yet: these need not be searched for.
        self._tenants: dict[str, str] = {}

    async def hold(self, hold: Hold) -> list[Balance]:
        bounds = bind_hold(hold)
        counters = metered(bounds)
        self._tenants[hold.request_id] = hold.tenant
        with translated():
            admitted, *standings = await finished(self._ask(hold, bounds, counters))
        standing = balances(bounds, _standings(counters, standings))
        if not admitted:
            self._tenants.pop(hold.request_id, None)
            refuse(standing, hold.amounts)
            raise AssertionError("Redis refused what fits")  # the two sums are the same; never admit on a doubt
        return standing

    async def checkpoint(self, request_id: str, spent: Amounts) -> None:
        with translated():
            tenant = self._tenants.get(request_id) or await self._search(request_id)
            if tenant is not None:
                await finished(self._checkpoint(keys=[tagged(tenant, "hold", request_id)], args=_pairs(spent)))

    async def settle(self, request_id: str, spent: Amounts) -> list[Balance]:
        with translated():
            tenant = self._tenants.pop(request_id, None) or await self._search(request_id)
            if tenant is None:
                return []
            return await finished(self._book(tenant, request_id, {unit: spent.get(unit, 0) for unit in UNITS}))

    async def balances(
        self, tenant: str, key: str, tenant_limits: Sequence[Limit], key_limits: Sequence[Limit], at: float
    ) -> list[Balance]:
        bounds = bind(tenant, key, tenant_limits, key_limits, at)
        counters = metered(bounds)
        pipeline = self._client.pipeline(transaction=False)
        for counter in counters:
            pipeline.hmget(_key(tenant, counter), "used", "held")
        with translated():
            found = await pipeline.execute()
        return balances(bounds, _standings(counters, [int(value or 0) for pair in found for value in pair]))

    async def recover(self, alive: Callable[[str], bool]) -> list[str]:
        orphans = []
        with translated():
            for tenant, request_id in await self._open():
                owner = await self._client.hget(tagged(tenant, "hold", request_id), "owner")
                if owner is None or not alive(owner.decode()):
                    await self._book(tenant, request_id, {})
                    orphans.append(request_id)
        return orphans

    async def open_holds(self) -> list[str]:
        with translated():
            return [request_id for _, request_id in await self._open()]

    async def _ask(self, hold: Hold, bounds: tuple[Bound, ...], counters: list[Counter]) -> list[int]:
        """The hold script's reply, in one round trip with the entry that lets `recover` find the hold."""
        places = [_key(hold.tenant, counter) for counter in counters]
        keys = [tagged(hold.tenant, "hold", hold.request_id), tagged(hold.tenant, "open"), *places]
        charges = [[place, c.unit, str(hold.amounts.get(c.unit, 0))] for place, c in zip(places, counters, strict=True)]
        terms = [term for counter in counters for term in _terms(hold, bounds, counter)]
        small = int(not oversize(bounds, hold.amounts))
        arguments = [hold.request_id, hold.owner, dump_bounds(bounds), json.dumps(charges), small, *terms]
        pipeline = self._client.pipeline(transaction=False)
        pipeline.sadd(_HOLDERS, hold.tenant)
        pipeline.evalsha(self._hold.sha, len(keys), *keys, *arguments)
        try:
            _, reply = await pipeline.execute()
        except NoScriptError:  # the server is new or was flushed
            reply = await self._hold(keys=keys, args=arguments)
        return list(reply)

    async def _book(self, tenant: str, request_id: str, spent: Amounts) -> list[Balance]:
        """An empty `spent` books the last checkpoint."""
        keys = [tagged(tenant, "hold", request_id), tagged(tenant, "open")]
        reply = await self._settle(keys=keys, args=[request_id, KEEP, *_pairs(spent)])
        if not reply:
            return []
        bounds = load_bounds(reply[0])
        return balances(bounds, _standings(metered(bounds), reply[1:]))

    async def _open(self) -> list[tuple[str, str]]:
        """(tenant, request id) of every open hold."""
        found = await self._of_each_tenant(lambda pipeline, place: pipeline.smembers(place))
        return [(tenant, request_id.decode()) for tenant, members in found for request_id in members]

    async def _search(self, request_id: str) -> str | None:
        """The tenant of an open hold that another process made."""
        found = await self._of_each_tenant(lambda pipeline, place: pipeline.sismember(place, request_id))
        return next((tenant for tenant, here in found if here), None)

    async def _of_each_tenant(self, ask: Callable[[Any, str], Any]) -> list[tuple[str, Any]]:
        """Each tenant with the reply to what is asked of its open holds."""
        tenants = [name.decode() for name in await self._client.smembers(_HOLDERS)]
        pipeline = self._client.pipeline(transaction=False)
        for tenant in tenants:
            ask(pipeline, tagged(tenant, "open"))
        return list(zip(tenants, await pipeline.execute(), strict=True))


def _key(tenant: str, counter: Counter) -> str:
    return tagged(tenant, "count", counter.scope, counter.name, counter.unit, counter.window, str(counter.start))


def _terms(hold: Hold, bounds: Iterable[Bound], counter: Counter) -> tuple[Any, ...]:
    """What the hold script is told of one counter: amount asked, tightest limit, seconds to live."""
    tightest = min(bound.limit.amount for bound in bounds if bound.counter == counter)
    return hold.amounts.get(counter.unit, ""), tightest, int(counter.end - hold.at) + KEEP


def _standings(counters: Sequence[Counter], amounts: Sequence[int]) -> dict[Counter, Standing]:
    """`amounts`: used and held of each counter in turn."""
    pairs = zip(amounts[::2], amounts[1::2], strict=True)
    return dict(zip(counters, (Standing(used, held) for used, held in pairs), strict=True))


def _pairs(spent: Amounts) -> list[Any]:
    return [part for pair in spent.items() for part in pair]
