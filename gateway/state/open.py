"""From a URL to State: the one place that names the concrete stores.

sqlite:///relative/state.db    a file, from the working directory
sqlite:////var/lib/state.db    a file, absolute
sqlite://:memory:              gone when closed; for tests
redis://host:6379/0            and rediss:// over TLS; refused unless durable
redis://host/0?durable=no      not asked whether it is durable, for providers that refuse CONFIG but promise it
"""

from urllib.parse import parse_qsl, urlencode, urlsplit

from gateway.state import State
from gateway.state.redis import open_redis
from gateway.state.sqlite import open_sqlite

MEMORY = "sqlite://:memory:"
KNOWN = "sqlite:///path, sqlite://:memory:, redis://host:port/db, rediss://host:port/db"


async def open_state(url: str) -> State:
    """Raises ValueError for a URL of no known form, StateUnavailable for a store that cannot be used, and says why."""
    scheme, _, rest = url.partition("://")
    if url == MEMORY:
        return await open_sqlite(":memory:")
    if scheme == "sqlite" and len(rest) > 1 and rest.startswith("/"):
        return await open_sqlite(rest[1:])
    if scheme in ("redis", "rediss"):
        return await _open_redis(url)
    raise ValueError(f"a state URL of scheme {scheme!r} is not known in this form: write one of {KNOWN}")


async def _open_redis(url: str) -> State:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    durable = query.pop("durable", "yes")
    if durable not in ("yes", "no"):
        raise ValueError(f"durable={durable} is neither yes nor no")
    return await open_redis(parts._replace(query=urlencode(query)).geturl(), durable == "yes")
