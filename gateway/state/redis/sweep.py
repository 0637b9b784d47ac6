"""Open holds in Redis that nobody will end: of a dead process, of a machine that is gone, of a call that came too late.

Of our own machine the file knows best: what it has as settled is settled; what it never recorded was never sent, and is
released once its process is dead. A machine that has not beaten for DEAD_S has its holds settled at their last
checkpoint, and their journal rows pushed for it; should it come back, it tells what is true. Harmless at any time.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.state.redis import scripts
from gateway.state.redis.counts import Counts, epoch_keys, hold_key, open_key
from gateway.state.redis.fleet import Fleet
from gateway.state.redis.rebuild import TENANTS
from gateway.state.redis.server import Server
from gateway.state.rows import recovered
from gateway.state.sqlite.budgets import SqliteBudgets

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
    ) -> None:
        self._client, self._counts, self._local, self._fleet = client, counts, local, fleet
        self._ours, self._push = ours, push
        self._presume = client.register_script(scripts.PRESUME)

    async def run(self, alive: Callable[[str], bool]) -> list[str]:
        """The requests settled in place of a dead machine. Raises StateUnavailable."""
        found = [held for tenant in await self.tenants() for held in await self._open(tenant)]
        mine = [held for held in found if held.fields["node"] == self._fleet.member.node]
        await self._own(mine, alive)
        gone = [held for held in found if held not in mine and self._fleet.dead(held.fields["node"])]
        for held in gone:
            await self._settle(held)
        return [held.request_id for held in gone if not held.lease]

    async def open_holds(self) -> set[str]:
        """The ids of all, of every machine. Raises StateUnavailable."""
        return {name.decode() for tenant in await self.tenants() for name in await self._members(tenant, lease=False)}

    async def tenants(self) -> list[str]:
        return sorted(name.decode() for name in await self._client.smembers(TENANTS))

    async def _open(self, tenant: str) -> list[Open]:
        """With all that is known of them."""
        ids = [(name.decode(), lease) for lease in (False, True) for name in await self._members(tenant, lease)]
        pipeline = self._client.pipeline(transaction=False)
        for request_id, _ in ids:
            pipeline.hgetall(hold_key(tenant, request_id))
        held = zip(ids, await pipeline.execute() if ids else [], strict=True)
        return [Open(tenant, *one, _texts(fields)) for one, fields in held if fields.get(b"state") == b"open"]

    async def _members(self, tenant: str, lease: bool) -> Iterable[bytes]:
        found: Iterable[bytes] = await self._client.smembers(open_key(tenant, lease))
        return found

    async def _own(self, mine: Sequence[Open], alive: Callable[[str], bool]) -> None:
        settled = await self._local.settled([held.request_id for held in mine if not held.lease])
        for held in mine:
            recorded = settled.get(held.request_id)
            if recorded or (recorded is None and self._stray(held, alive)):
                await self._counts.settle(held.tenant, held.request_id, lease=held.lease)

    def _stray(self, held: Open, alive: Callable[[str], bool]) -> bool:
        """Whether no process is at work on what the file does not know."""
        if held.fields["process"] == self._fleet.member.process:
            return held.request_id not in self._ours()
        return not alive(held.fields["owner"])

    async def _settle(self, held: Open) -> None:
        """The row first: a crash in between repeats it, and a second one is ignored."""
        if not held.lease:
            await self._push([held.row])
        keys = [hold_key(held.tenant, held.request_id), open_key(held.tenant, held.lease), epoch_keys(held.tenant)[1]]
        args = [held.request_id, held.fields["node"], held.fields["process"], scripts.MARK_S]
        await self._presume(keys=keys, args=args)


def _texts(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in fields.items()}
