"""How counters in Redis come to be whole again: every process tells what its file says, then the tenant is opened.

A process *rejoins* a tenant by telling what its machine has used and what it holds, and ending what it holds no more;
until then nothing is admitted for it. The tenant's *epoch* is set once all known live processes have joined on the
server that is there now: `epoch` is the `run_id` (new at every start) of the server on which the counters are whole,
`joined` that on which each process has told its file. A flush, an empty or shortened restart, a failover, a moved slot:
the two no longer name this server. Both are harmless at any time, and shared: one at a time for a tenant and process.

Invariants: holds that were admitted before are on file before the file is read (`passing`), and the open holds are read
before the sums, so that what is settled meanwhile is counted twice for a moment, never missed. What was told to a
server that then forgot it counts as not told: while a process tells, its entry in `joined` is a token of its own, gone
with what it told.
"""

import asyncio
import secrets
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.state import Clock, StateUnavailable
from gateway.state.background import stopped
from gateway.state.redis.counts import Counts, epoch_keys
from gateway.state.redis.fleet import PATIENCE_S, Fleet
from gateway.state.redis.lease import Leases
from gateway.state.redis.scripts import COMMON
from gateway.state.redis.server import Server, pieces
from gateway.state.redis.sweep import TENANTS, Sweep
from gateway.state.sqlite.budgets import SqliteBudgets

WAIT_S = PATIENCE_S + 1.0  # a call waits so long for its tenant's counters, then it is refused
POLL_S = 0.02
AT_ONCE = 500  # holds that are told

# KEYS: epoch, joined. ARGV: process, a token. From now on nothing is admitted for this process until it has joined.
# Returns whether the epoch is right.
BEGIN = (
    COMMON
    + """
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return redis.call('GET', KEYS[1]) == run_id() and 1 or 0
"""
)

# KEYS: joined. ARGV: process, its token. Returns 0 when the token is gone, for then all that was told is gone too.
JOIN = (
    COMMON
    + """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], run_id())
return 1
"""
)

# KEYS: epoch, joined. ARGV: process, then the processes to wait for. Opens the tenant when all have joined. Returns how
# many have not, or -1 when this process's own joining was lost.
OPEN = (
    COMMON
    + """
local run, missing = run_id(), 0
if redis.call('HGET', KEYS[2], ARGV[1]) ~= run then return -1 end
if redis.call('GET', KEYS[1]) == run then return 0 end
for i = 2, #ARGV do
  if redis.call('HGET', KEYS[2], ARGV[i]) ~= run then missing = missing + 1 end
end
if missing > 0 then return missing end
local joined = redis.call('HGETALL', KEYS[2])
for i = 1, #joined, 2 do  -- who joined an earlier run; whoever is about to join has a token there, which is shorter
  if #joined[i + 1] == #run and joined[i + 1] ~= run then redis.call('HDEL', KEYS[2], joined[i]) end
end
redis.call('SET', KEYS[1], run)
return 0
"""
)


class Rebuild:
    """For one process and its `leases`, which are ended once what was spent from them is told."""

    def __init__(
        self,
        client: Server,
        counts: Counts,
        local: SqliteBudgets,
        fleet: Fleet,
        leases: Leases,
        sweep: Sweep,
        clock: Clock,
    ) -> None:
        self._client, self._counts, self._local, self._fleet = client, counts, local, fleet
        self._leases, self._sweep, self._clock = leases, sweep, clock
        self._begin, self._join = client.register_script(BEGIN), client.register_script(JOIN)
        self._open = client.register_script(OPEN)
        self.untold: set[str] = set()  # tenants of which Redis missed something
        self._running: dict[str, asyncio.Task[None]] = {}
        self._passing: dict[str, set[asyncio.Future[None]]] = defaultdict(set)

    @contextmanager
    def passing(self, tenant: str) -> Iterator[None]:
        """Around what Redis admits and the file does not have yet: a rejoining that begins meanwhile waits for it."""
        done = asyncio.get_running_loop().create_future()
        self._passing[tenant].add(done)
        try:
            yield
        finally:
            done.set_result(None)
            self._passing[tenant].discard(done)

    async def ensure(self, tenant: str) -> None:
        """Until the counters are whole and this process has joined. Raises StateUnavailable, within WAIT_S.

        Shares what is under way; that goes on when its callers give up.
        """
        try:
            await asyncio.wait_for(asyncio.shield(self._task(tenant)), WAIT_S)
        except TimeoutError:
            raise StateUnavailable(
                "Redis lost its counters, and they are being told again: retry in a moment"
            ) from None

    async def told(self, tenant: str) -> None:
        """Until Redis misses nothing of a tenant: not before, if something is `untold`. Raises StateUnavailable."""
        while tenant in self.untold or tenant in self._running:
            await asyncio.shield(self._task(tenant))

    async def stop(self) -> None:
        await stopped(list(self._running.values()))

    def _task(self, tenant: str) -> "asyncio.Task[None]":
        task = self._running.get(tenant)
        if task is None:
            task = self._running[tenant] = asyncio.create_task(self._run(tenant))
            task.add_done_callback(lambda done: self._over(tenant, done))
        return task

    def _over(self, tenant: str, task: "asyncio.Task[None]") -> None:
        self._running.pop(tenant, None)
        if not task.cancelled() and task.exception() is not None:
            self.untold.add(tenant)

    async def _run(self, tenant: str) -> None:
        if tenant not in self.untold and await self._counts.look(tenant, [], 0.0, "UTC") is not None:
            return
        began, whole = time.monotonic(), False
        while not whole or tenant in self.untold:  # the server forgot meanwhile, or there is more to tell: once more
            self.untold.discard(tenant)
            whole = await self._joined(tenant) and await self._opened(tenant, began)

    async def _joined(self, tenant: str) -> bool:
        """Whether the server still knew at the end that we had begun."""
        token, keys, process = secrets.token_hex(8), epoch_keys(tenant), self._fleet.member.process
        await self._client.sadd(TENANTS, tenant)
        if not await self._begin(keys=keys, args=[process, token]):
            await self._fleet.lost(tenant)
        self._leases.withdraw(tenant)  # not before it is certain that Redis is there
        await asyncio.gather(*self._passing[tenant])
        self._leases.withdraw(tenant)  # those that were on their way
        leases = self._leases.ending(tenant)
        await self._tell(tenant)
        joined = await self._join(keys=keys[1:], args=[process, token])
        for lease in leases:
            await self._counts.settle(tenant, lease, lease=True)
        self._leases.end(tenant, leases)
        return bool(joined)

    async def _tell(self, tenant: str) -> None:
        """Everything that the file says; the order matters."""
        pending = await self._local.pending(tenant)
        now = self._clock.now()
        await self._counts.tell(tenant, await self._local.totals(tenant), now)
        for held in pieces(pending, AT_ONCE):
            await asyncio.gather(*(self._counts.force(hold, now) for hold in held))
        await self._sweep.own(tenant)

    async def _opened(self, tenant: str, began: float) -> bool:
        """Whether the tenant is open; False when our joining was lost."""
        process = self._fleet.member.process
        while True:
            missing = await self._open(keys=epoch_keys(tenant), args=[process, *self._fleet.expected(began)])
            if missing <= 0:
                break
            await asyncio.sleep(POLL_S)
        await self._fleet.found(tenant)
        return bool(missing == 0)
