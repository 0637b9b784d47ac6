"""How Redis is called: how many calls at once, how long one may take, when none is tried, how failures are told.

Whatever the URL's form, `Server` has redis-py's commands; pipelines are never transactions, and scripts are run one by
one: a cluster could not do otherwise. Knows no key, only how names become keys. Invariants: a call returns or raises
StateUnavailable, in time (`deadline`); it is never left half done when its caller is cancelled, so no reply can reach
another caller, and the next call comes after it; no refusal of the server is ever read as a result (`failures`).
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha1
from typing import Any, TypeVar
from urllib.parse import quote

from redis.asyncio import RedisCluster
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.commands import AsyncCoreCommands
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from gateway.state import StateUnavailable
from gateway.state.redis.breaker import Breaker
from gateway.state.redis.connect import connect
from gateway.state.redis.deadline import CALL_S, finished, in_time
from gateway.state.redis.failures import NOBODY, translated

T = TypeVar("T")
Command = tuple[tuple[Any, ...], dict[str, Any]]  # its words, and how redis-py is to parse the reply

PREFIX = "tollgate:"
CONNECTIONS = 64  # Redis works through commands one by one; more connections only queue there instead of here
FOLLOW_S = 0.5  # how soon a master that Sentinel has replaced is left, though it still answers

# redis-py's annotations leave every reply open (bytes, str, lists of either, awaitable): taken as Any.
_Commands: Any = AsyncCoreCommands


class Server(_Commands):  # type: ignore[misc]
    """One Redis in whatever form, which answers within `call_s` or not at all. Its commands are redis-py's.

    Raises ValueError for a malformed URL.
    """

    def __init__(self, url: str, call_s: float = CALL_S) -> None:
        self._redis: Any = connect(url)
        self._call_s = call_s
        self._breakers: defaultdict[str, Breaker] = defaultdict(Breaker)  # a cluster's by node: the others go on
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._follow_at = 0.0
        self._background: set[asyncio.Task[None]] = set()

    async def execute_command(self, *command: Any, **options: Any) -> Any:
        """One command, as redis-py parses its reply. Raises StateUnavailable."""
        return await self._ask(self._owner(command), lambda: self._redis.execute_command(*command, **options))

    async def on_each(self, *command: Any) -> list[Any]:
        """The replies of every server that takes writes: a cluster has several."""
        if not isinstance(self._redis, RedisCluster):
            return [await self.execute_command(*command)]
        await self._ask("", self._redis.initialize)
        return [await self.execute_command(*command, target_nodes=[node]) for node in self._redis.get_primaries()]

    def pipeline(self, transaction: bool = False) -> "Pipeline":
        if transaction:
            raise ValueError("a cluster has no transactions: write a script")
        return Pipeline(self)

    def register_script(self, script: str) -> "Script":
        return Script(self, script)

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to commands sent together, to whichever server each belongs. Raises StateUnavailable for all."""
        owners = [self._owner(command) for command, _ in commands]
        replies: dict[str, list[Any]] = {}
        for owner in dict.fromkeys(owners):
            mine = [command for command, its in zip(commands, owners, strict=True) if its == owner]
            replies[owner] = (await self._ask(owner, partial(self._pipe, mine)))[::-1]
        return [replies[owner].pop() for owner in owners]

    async def run(self, script: str, digest: str, keys: Sequence[Any], args: Sequence[Any]) -> Any:
        """What the script returns; a server that does not know it is told. Raises StateUnavailable."""

        async def ask() -> Any:
            try:
                return await self._redis.execute_command("EVALSHA", digest, len(keys), *keys, *args)
            except NoScriptError:  # the server is new, or was flushed
                return await self._redis.execute_command("EVAL", script, len(keys), *keys, *args)

        return await self._ask(self._owner(("EVALSHA", *keys)), ask)

    async def aclose(self) -> None:
        for task in self._background:
            task.cancel()
        await self._redis.aclose()
        if isinstance(pool := self._pool, SentinelConnectionPool):
            await pool.sentinel_manager.aclose()

    @property
    def _pool(self) -> Any:
        """None for a cluster, which has one a node."""
        return getattr(self._redis, "connection_pool", None)

    def _owner(self, command: Sequence[Any]) -> str:
        """The node of a cluster that serves this command's key, as far as it is known; empty for the other forms."""
        if not isinstance(self._redis, RedisCluster) or len(command) < 2:
            return ""
        with suppress(RedisClusterException):  # nobody serves it
            node = self._redis.get_node_from_key(command[1])
            return node.name if node else ""
        return ""

    async def _pipe(self, commands: Iterable[Command]) -> list[Any]:
        pipeline = self._redis.pipeline(transaction=False)
        for command, options in commands:
            pipeline.execute_command(*command, **options)
        replies: list[Any] = await pipeline.execute()
        return replies

    async def _ask(self, owner: str, call: Callable[[], Awaitable[T]]) -> T:
        """Every call passes here. Waiting for a free connection is no failure: it is bounded by the calls before."""
        async with self._slots:
            breaker = self._breakers[owner]
            if not breaker.allows():
                raise StateUnavailable("Redis cannot answer (it did not a moment ago, and is not asked for a second)")
            self._follow()
            return await finished(self._judged(breaker, call))

    async def _judged(self, breaker: Breaker, call: Callable[[], Awaitable[T]]) -> T:
        """Its result, or StateUnavailable; the breaker hears of both."""
        with translated(partial(self._failed, breaker)):
            result = await in_time(call, self._call_s)
        breaker.succeeded()
        return result

    def _failed(self, breaker: Breaker, kind: str, answered: bool) -> None:
        if answered and kind not in NOBODY:
            breaker.succeeded()
        else:
            breaker.failed()
        if kind == "READONLY" and self._pool:  # a replica now: the address may lead to the new master
            self._beside(self._pool.disconnect(inuse_connections=False))

    def _follow(self) -> None:
        """Ask Sentinel now and then: a master that was replaced may go on answering, cut off from its replicas."""
        now = asyncio.get_running_loop().time()
        if isinstance(self._pool, SentinelConnectionPool) and now >= self._follow_at:
            self._follow_at = now + FOLLOW_S
            self._beside(self._pool.get_master_address())  # type: ignore[no-untyped-call]

    def _beside(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do this beside the calls; these tell of trouble themselves."""

        async def quietly() -> None:
            with suppress(RedisError, OSError):
                await work

        task = asyncio.ensure_future(quietly())
        self._background.add(task)
        task.add_done_callback(self._background.discard)


class Pipeline(_Commands):  # type: ignore[misc]
    """Commands that are sent together by `execute`; they need not concern the same keys, and are not atomic."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._commands: list[Command] = []

    def execute_command(self, *command: Any, **options: Any) -> "Pipeline":
        self._commands.append((command, options))
        return self

    async def execute(self) -> list[Any]:
        """One reply a command, in their order."""
        commands, self._commands = self._commands, []
        return await self._server.send(commands)


class Script:
    """A script on one server: all its `keys` must share a hash tag."""

    def __init__(self, server: Server, text: str) -> None:
        self._server, self._text = server, text
        self._digest = sha1(text.encode()).hexdigest()  # how Redis names scripts

    async def __call__(self, keys: Sequence[Any] = (), args: Sequence[Any] = ()) -> Any:
        return await self._server.run(self._text, self._digest, keys, args)


def pieces(things: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """In their order, at most `size` at once: so that no call keeps the server from others for long."""
    return (things[start : start + size] for start in range(0, len(things), size))


def tagged(tenant: str, *rest: str) -> str:
    """A key of one tenant: its name is the hash tag, so that a cluster keeps all its counters on one node.

    Every part is percent-encoded: no name can be made to read as another's key.
    """
    return ":".join([f"{PREFIX}{{{quote(tenant, safe='')}}}", *(quote(part, safe="") for part in rest)])
