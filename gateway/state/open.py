"""From a URL to State: the one place that names the concrete stores.

sqlite:///relative/state.db               a file, from the working directory
sqlite:////var/lib/state.db               a file, absolute
sqlite://:memory:                         gone when closed; for tests
redis://host:6379/0                       and rediss:// over TLS; refused unless durable
redis+sentinel://host,host/mymaster       the master that Sentinel names
redis+cluster://host:6379,host:6379       a Cluster
redis://host/0?durable=no                 not asked whether it is durable: for providers that refuse CONFIG
redis://host/0?timeout_ms=200             how long a call may take, 50 unless said: for a server that is far away
redis://host/0?vectors=yes                Redis 8 itself compares cached questions, for more than a gateway can hold

Every Redis needs a file beside it, the `ledger`: the record of what this machine admitted.
"""

from urllib.parse import parse_qsl, urlencode, urlsplit

from gateway.state import State
from gateway.state.eviction import ENTRIES
from gateway.state.sqlite import open_sqlite

MEMORY = "sqlite://:memory:"
LEDGER = "sqlite:///.tollgate/ledger.db"
MOST_MS = 10_000  # a client waits for every call; one that takes longer is an outage
KNOWN = (
    "sqlite:///path, sqlite://:memory:, redis://host:port/db, rediss://host:port/db, "
    "redis+sentinel://host:port,host:port/name, redis+cluster://host:port,host:port"
)


async def open_state(url: str, ledger: str = LEDGER, trust_clock: bool = False, max_entries: int = ENTRIES) -> State:
    """Raises ValueError for a URL of no known form, StateUnavailable for a store that cannot be used, and says why.

    `ledger` (sqlite:///path) is used with Redis only. `trust_clock` takes the wall clock over, though it was set.
    `max_entries` bounds the cached answers.
    """
    scheme = url.partition("://")[0]
    if scheme in ("redis", "rediss", "redis+sentinel", "redis+cluster"):
        from gateway.state.redis import open_redis  # a sixth of a start's time, and 10 MB, which a file does not need

        where, durable, call_s, indexed = _options(url)
        return await open_redis(where, _path(ledger), durable, call_s, trust_clock, max_entries, indexed)
    return await open_sqlite(_path(url), trust_clock, max_entries)


def _path(url: str) -> str:
    """The file of an sqlite URL."""
    scheme, _, rest = url.partition("://")
    if url == MEMORY:
        return ":memory:"
    if scheme == "sqlite" and len(rest) > 1 and rest.startswith("/"):
        return rest[1:]
    raise ValueError(f"a state URL of scheme {scheme!r} is not known in this form: write one of {KNOWN}")


def _options(url: str) -> tuple[str, bool, float, bool]:
    """The URL without our own options; whether the servers must be durable, the seconds that a call may take, and
    whether they keep an index of vectors."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    durable, timeout, vectors = query.pop("durable", "yes"), query.pop("timeout_ms", "50"), query.pop("vectors", "no")
    for name, value in (("durable", durable), ("vectors", vectors)):
        if value not in ("yes", "no"):
            raise ValueError(f"{name}={value} is neither yes nor no")
    if not timeout.isdecimal() or not 1 <= int(timeout) <= MOST_MS:
        raise ValueError(f"timeout_ms={timeout} is no whole number from 1 to {MOST_MS}")
    return parts._replace(query=urlencode(query)).geturl(), durable == "yes", int(timeout) / 1000, vectors == "yes"
