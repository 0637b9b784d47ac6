"""Open holds in Redis that nobody will end: of a dead process, of a machine that is gone, of a call that came too late.

Of our own machine the file knows best: what it has as settled is settled, once what was used is told; what it never
recorded was never sent, and is released once no process is at work on it. A machine that has not beaten for DEAD_S has
its holds settled at their last checkpoint, and their journal rows pushed for it; should it come back, it tells what is
true. Its leases stay set aside until their windows end: it may live behind a cut network, and what it spends
from them there nobody sees. Harmless at any time.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.state import Clock
from gateway.state.background import attempted
from gateway.state.redis import scripts
from gateway.state.redis.counts import Counts, epoch_keys, hold_key, open_key
from gateway.state.redis.fleet import Fleet
from gateway.state.redis.server import PREFIX, Server, pieces
from gateway.state.rows import recovered
from gateway.state.sqlite.budgets import SqliteBudgets

TENANTS = PREFIX + "holders"  # every tenant that was ever joined
AT_ONCE = 200  # holds a round trip

Push = Callable[[Sequence[Mapping[str, Any]]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Open:
    """An open hold as Redis has it; of a `lease` no request is the holder."""

    tenant: str
    request_id: str
    lease: bool
    fields: Mapping[str, str]

    @property
    def row(self) -> dict[str, Any]:
        """The journal's, as `recover` writes it."""
        noted = {
            name.partition(":")[2]: json.loads(text) for name, text in self.fields.items() if name[:7] == "column:"
        }
        return recovered(json.loads(self.fields["draft"]), noted)


class Sweep:
    """`ours` are the holds and leases that this process is at work on; `push` sends rows to the shared journal."""

    def __init__(
        self,
        client: Server,
        counts: Counts,
        local: SqliteBudgets,
        fleet: Fleet,
        ours: Callable[[], set[str]],
        push: Push,
        clock: Clock,
    ) -> None:
        self._client, self._counts, self._local, self._fleet = client, counts, local, fleet
        self._ours, self._push, self._clock = ours, push, clock
        self._presume = client.register_script(scripts.PRESUME)

    async def run(self, alive: Callable[[str], bool]) -> list[str]:
        """The requests settled in place of a dead machine. Raises StateUnavailable."""
        presumed: list[str] = []

        async def sweep(tenant: str) -> None:
            held = await self.own(tenant, alive)
            for one in held:
                if not one.lease and self._fleet.dead(one.fields["node"]):
                    await self._settle(one)
                    presumed.append(one.request_id)

        await attempted(sweep, await self.tenants())
        return presumed

    async def own(self, tenant: str, alive: Callable[[str], bool] = lambda owner: True) -> list[Open]:
        """End what this machine holds no more. Returns what was open. Raises StateUnavailable."""
        found, ours = await self._open(tenant), self._ours()
        mine = [held for held in found if held.fields["node"] == self._fleet.member.node]
        settled = await self._local.settled([held.request_id for held in mine if not held.lease])
        if any(settled.values()):  # read after that: with what those have used
            await self._counts.tell(tenant, await self._local.totals(tenant), self._clock.now())
        for held in mine:
            recorded = settled.get(held.request_id)
            if recorded or (recorded is None and self._stray(held, ours, alive)):
                await self._counts.settle(tenant, held.request_id, lease=held.lease)
        return found

    async def open_holds(self) -> set[str]:
        """The ids of all, of every machine. Raises StateUnavailable."""
        return {name.decode() for tenant in await self.tenants() for name in await self._members(tenant, lease=False)}

    async def tenants(self) -> list[str]:
        return sorted(name.decode() for name in await self._client.smembers(TENANTS))

    async def _open(self, tenant: str) -> list[Open]:
        """With all that is known of them."""
        ids = [(name.decode(), lease) for lease in (False, True) for name in await self._members(tenant, lease)]
        found: list[Open] = []
        for piece in pieces(ids, AT_ONCE):
            pipeline = self._client.pipeline()
            for request_id, _ in piece:
                pipeline.hgetall(hold_key(tenant, request_id))
            held = zip(piece, await pipeline.execute(), strict=True)
            found += [Open(tenant, *one, _texts(fields)) for one, fields in held if fields.get(b"state") == b"open"]
        return found

    async def _members(self, tenant: str, lease: bool) -> Iterable[bytes]:
        found: Iterable[bytes] = await self._client.smembers(open_key(tenant, lease))
        return found

    def _stray(self, held: Open, ours: set[str], alive: Callable[[str], bool]) -> bool:
        """Whether no process is at work on what the file does not know."""
        if held.fields["process"] == self._fleet.member.process:
            return held.request_id not in ours
        return not alive(held.fields["owner"])

    async def _settle(self, held: Open) -> None:
        """The row first: a crash in between repeats it, and a second one is ignored."""
        await self._push([held.row])
        keys = [hold_key(held.tenant, held.request_id), open_key(held.tenant), epoch_keys(held.tenant)[1]]
        args = [held.request_id, held.fields["node"], held.fields["process"], scripts.MARK_S]
        await self._presume(keys=keys, args=args)


def _texts(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in fields.items()}
