"""What is asked of every server before budgets are trusted to it. Each refusal names the setting to change.

As shipped Redis writes snapshots only: a killed server loses everything since the last one. That the counters can be
rebuilt is no reason to begin with a server that loses them by design.
"""

import logging
from collections.abc import Callable

from redis.exceptions import ResponseError

from gateway.state import StateUnavailable
from gateway.state.redis.server import Server

log = logging.getLogger("tollgate.state")

SKEW_S = 60.0  # a clock further from ours would put what is spent into another minute or day


async def check_usable(server: Server, now: Callable[[], float]) -> None:
    """Raise StateUnavailable when a server takes no writes, or its clock is not near `now()`."""
    for info in await server.on_each("INFO", "replication"):
        if info["role"] != "master":
            raise StateUnavailable(
                "Redis at this URL is a replica (READONLY): name its master, or let Sentinel name it "
                "(redis+sentinel://host:26379/mymaster)"
            )
    for seconds, micros in await server.on_each("TIME"):
        if abs(skew := seconds + micros / 1e6 - now()) > SKEW_S:
            raise StateUnavailable(
                f"the clock of Redis is {skew:+.0f} s from this machine's, more than {SKEW_S:.0f}: set both by NTP; "
                "where this machine's was set right after its start, run `tollgate serve --trust-clock` once"
            )


async def check_durable(server: Server) -> None:
    """Raise StateUnavailable when a restart or full memory would make a server forget; warn when a failover would."""
    if "no" in await _settings(server, "appendonly"):
        raise StateUnavailable(
            "Redis has `appendonly no`: a restart would forget what was spent. Set `appendonly yes` in redis.conf, or "
            "run `redis-cli CONFIG SET appendonly yes`"
        )
    for policy in await _settings(server, "maxmemory-policy"):
        if policy != "noeviction":
            raise StateUnavailable(
                f"Redis has `maxmemory-policy {policy}`: full memory would evict budgets. "
                "Set `maxmemory-policy noeviction`"
            )
    replicas = [info["connected_slaves"] for info in await server.on_each("INFO", "replication")]
    if any(replicas) and "0" in await _settings(server, "min-replicas-to-write"):
        log.warning(
            "Redis has replicas and `min-replicas-to-write 0`: a master that a failover replaced goes on admitting "
            "behind a cut network. Set `min-replicas-to-write 1` and `min-replicas-max-lag 10`"
        )


async def _settings(server: Server, name: str) -> list[str]:
    """That setting on each server."""
    try:
        return [str(found[name]) for found in await server.on_each("CONFIG GET", name)]
    except StateUnavailable as error:
        if not isinstance(error.__cause__, ResponseError):  # it did not answer at all
            raise
        raise StateUnavailable(
            "Redis does not tell whether it is durable (CONFIG is refused). If its provider promises that it keeps "
            "every write and evicts nothing, add `?durable=no` to the URL to skip this check"
        ) from error
