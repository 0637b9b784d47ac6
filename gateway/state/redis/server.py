"""One Redis server: how it is reached, what is asked of it before budgets are trusted to it, how its failures are told.

Knows no key. Every call has a deadline; every failure of the server becomes StateUnavailable, here and nowhere else.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from gateway.state import StateUnavailable

T = TypeVar("T")

# A redis.asyncio.Redis that answers in bytes. Its annotations leave every reply open (bytes, str, lists of either).
Client = Any

TIMEOUT = 1.0  # seconds for one call, and to wait for a connection: a request fails rather than hangs
CONNECTIONS = 64  # Redis works through commands one by one; more connections only queue there instead of here

PREFIX = "tollgate:"


def connect(url: str) -> Client:
    """A client of `redis://` or `rediss://`; connects at the first call. Raises ValueError for a malformed URL."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=TIMEOUT,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        # Once more when a pooled connection turns out closed (the server was restarted): every call may be repeated.
        retry=Retry(NoBackoff(), 1, (RedisConnectionError,)),
    )
    return Redis.from_pool(pool)


def tagged(tenant: str, *rest: str) -> str:
    """A key of one tenant: its name is the hash tag, so that a cluster keeps all its counters on one node.

    Every part is percent-encoded: no name can be made to read as another's key.
    """
    return ":".join([f"{PREFIX}{{{quote(tenant, safe='')}}}", *(quote(part, safe="") for part in rest)])


@contextmanager
def translated() -> Iterator[None]:
    """Turns every failure of the server into StateUnavailable. Its text names the kind: messages quote addresses."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise StateUnavailable(f"Redis cannot answer ({type(error).__name__})") from error


async def finished(call: Coroutine[Any, Any, T]) -> T:
    """What `call` returns, never left half sent: if the caller is cancelled, the cancellation waits for its end.

    So the next call for the same request, over whatever connection, comes after it. The wait is bounded by TIMEOUT.
    """
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def check_durable(client: Client) -> None:
    """Raise StateUnavailable, naming the setting to change, when a restart or full memory would make it forget.

    As shipped Redis writes snapshots only: a killed server loses everything since the last one.
    """
    if await _setting(client, "appendonly") == "no":
        raise StateUnavailable(
            "Redis has `appendonly no`: a restart would forget what was spent. Set `appendonly yes` in redis.conf, or "
            "run `redis-cli CONFIG SET appendonly yes`"
        )
    policy = await _setting(client, "maxmemory-policy")
    if policy != "noeviction":
        raise StateUnavailable(
            f"Redis has `maxmemory-policy {policy}`: full memory would evict budgets. Set `maxmemory-policy noeviction`"
        )


async def _setting(client: Client, name: str) -> str:
    with translated():
        try:
            found = await client.config_get(name)
        except ResponseError as error:
            raise StateUnavailable(
                "Redis does not tell whether it is durable (CONFIG is refused). If its provider promises that it keeps "
                "every write and evicts nothing, add `?durable=no` to the URL to skip this check"
            ) from error
    return str(found[name])
