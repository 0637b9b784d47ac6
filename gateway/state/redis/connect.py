"""From a URL to redis-py's client of that form, and what each of its connections reports of the call it serves.

redis://[user:password@]host:6379/0           one server; rediss:// over TLS
redis+sentinel://host:26379,host:26379/name   the master that Sentinel names; `?db=0`, `?tls=yes`, and
                                              `sentinel_username`, `sentinel_password` if Sentinel wants them
redis+cluster://host:6379,host:6379           a Cluster, found through any of these nodes; `?tls=yes`

Connects at the first call. Sets no deadline but Sentinel's: the caller does, who learns from the current `Call` whether
a connection is being made, and what the server complained of.
"""

from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError

from gateway.state.redis.deadline import current

SENTINEL_S = 0.1  # seconds for a Sentinel to answer, so that one that is gone leaves time to ask the next
NO_LIMIT = 2**31  # connections: whoever calls bounds how many calls there are at once

_COMMON: dict[str, Any] = {
    "protocol": 2,  # one round trip less to connect than RESP3's HELLO; nothing of RESP3 is used
    "driver_info": None,  # another one: CLIENT SETINFO, which 6.2 does not know
    "socket_timeout": None,
    "socket_connect_timeout": None,
    # Once more when a kept connection turns out closed (the server was restarted): every call may be repeated.
    "retry": Retry(NoBackoff(), 1, (RedisConnectionError,)),
}


class _Reporting(Connection):
    """Tells the current call that it connects, and what the server refuses."""

    async def connect(self) -> None:
        if not self.is_connected:
            with current().connects():
                await super().connect()  # type: ignore[no-untyped-call]

    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*args, **options)
        except RedisError as error:
            if not isinstance(error, NoScriptError):  # no complaint: the script is sent next
                current().complaint = error
            raise


class _Plain(_Reporting):
    pass


class _Tls(_Reporting, SSLConnection):
    pass


class _OfSentinel(_Reporting, SentinelManagedConnection):
    pass


class _TlsOfSentinel(_Reporting, SentinelManagedSSLConnection):
    pass


class _SentinelPool(SentinelConnectionPool):
    """Leaves the old master with every connection, also with those in use when Sentinel named another."""

    async def get_master_address(self) -> Any:
        before = self.master_address
        address = await super().get_master_address()  # type: ignore[no-untyped-call]
        if address != before:
            await self.update_active_connections_for_reconnect()  # type: ignore[no-untyped-call]
        return address


class _Cluster(RedisCluster):
    """Learning the slots (again) counts as connecting."""

    def __init__(self, nodes: list[ClusterNode], tls: bool, **options: Any) -> None:
        super().__init__(startup_nodes=nodes, ssl=tls, require_full_coverage=False, **options)
        self.connection_kwargs["connection_class"] = _Tls if tls else _Plain  # of the nodes that it finds

    async def initialize(self, *args: Any, **options: Any) -> RedisCluster:
        with current().connects():
            return await super().initialize(*args, **options)


def connect(url: str) -> "Redis | RedisCluster":
    """Raises ValueError for a URL that is not of these forms."""
    parts = urlsplit(url)
    match parts.scheme:
        case "redis" | "rediss":
            return _one(url)
        case "redis+sentinel":
            return _master(parts)
        case "redis+cluster":
            return _cluster(parts)
    raise ValueError(f"{parts.scheme}:// is no form of a Redis URL: redis, rediss, redis+sentinel, redis+cluster are")


def _one(url: str) -> "Redis":
    found: dict[str, Any] = dict(parse_url(url))
    found["connection_class"] = _Tls if "connection_class" in found else _Plain
    return Redis.from_pool(ConnectionPool(max_connections=NO_LIMIT, **{**_COMMON, **found}))


def _master(parts: SplitResult) -> "Redis":
    options = _options(parts, "db", "tls", "sentinel_username", "sentinel_password")
    name = unquote(parts.path.strip("/"))
    if not name:
        raise ValueError("the URL lacks the master's name: write redis+sentinel://host:26379/mymaster")
    login = {key.removeprefix("sentinel_"): options[key] for key in options if key.startswith("sentinel_")}
    asked = {"socket_timeout": SENTINEL_S, "socket_connect_timeout": SENTINEL_S, "retry": Retry(NoBackoff(), 0)}
    tls = _yes(options, "tls")
    sentinel: Any = Sentinel(_hosts(parts, 26379), sentinel_kwargs={**asked, **login, "ssl": tls})  # type: ignore[no-untyped-call]
    return sentinel.master_for(  # type: ignore[no-any-return]
        name,
        connection_pool_class=_SentinelPool,
        connection_class=_TlsOfSentinel if tls else _OfSentinel,
        db=_number(options, "db"),
        **_COMMON,
        **_login(parts),
    )


def _cluster(parts: SplitResult) -> RedisCluster:
    tls = _yes(_options(parts, "tls"), "tls")
    if parts.path.strip("/"):
        raise ValueError(f"a cluster has no numbered databases: leave {parts.path} out of the URL")
    nodes = [ClusterNode(host, port) for host, port in _hosts(parts, 6379)]
    return _Cluster(nodes, tls, max_connections=NO_LIMIT, **_COMMON, **_login(parts))


def _hosts(parts: SplitResult, port: int) -> list[tuple[str, int]]:
    """Of `user@host:1,[::1]:2` the hosts and ports. Raises ValueError."""
    found = [urlsplit(f"//{part}") for part in parts.netloc.rpartition("@")[2].split(",")]
    if not all(part.hostname for part in found):
        raise ValueError(f"{parts.scheme}:// lacks a host: write host:port,host:port")
    return [(str(part.hostname), part.port or port) for part in found]


def _login(parts: SplitResult) -> dict[str, str]:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    login = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in login.items() if value}


def _options(parts: SplitResult, *known: str) -> dict[str, str]:
    options = dict(parse_qsl(parts.query))
    if unknown := options.keys() - set(known):
        raise ValueError(
            f"{parts.scheme}:// knows no option {', '.join(sorted(unknown))}: known are {', '.join(known)}"
        )
    return options


def _yes(options: dict[str, str], name: str) -> bool:
    value = options.get(name, "no")
    if value not in ("yes", "no"):
        raise ValueError(f"{name}={value} is neither yes nor no")
    return value == "yes"


def _number(options: dict[str, str], name: str) -> int:
    value = options.get(name, "0")
    if not value.isdecimal():
        raise ValueError(f"{name}={value} is no number")
    return int(value)
