"""How a failure of Redis is told: as StateUnavailable that names the kind.

Knows neither keys nor connections. Refusals are failures, never results: a replica's READONLY admits nothing.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redis.exceptions import RedisClusterException, RedisError, ResponseError

from gateway.state import StateUnavailable

# The server serves nobody now. The other refusals (OOM, MISCONF, NOREPLICAS, TRYAGAIN) are of one kind of call.
NOBODY = {"READONLY", "LOADING", "BUSY", "CLUSTERDOWN", "MASTERDOWN"}
# redis-py makes `status_code` of the codes that it knows; of the others, and in a script's error, it is in the text.
_CODE = re.compile(r"\b(READONLY|LOADING|BUSY|OOM|MISCONF|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|NOREPLICAS|NOPERM)\b")


@contextmanager
def translated(failed: Callable[[str, bool], None] = lambda kind, answered: None) -> Iterator[None]:
    """Turns every failure of the server into StateUnavailable. Its text names the kind: messages quote addresses.

    `failed` hears the kind, and whether the server itself said so.
    """
    try:
        yield
    except (RedisError, RedisClusterException, OSError, RuntimeError) as error:  # the last: uvloop's closed transport
        kind = _kind(error)
        failed(kind, isinstance(error, ResponseError))
        raise StateUnavailable(f"Redis cannot answer ({kind})") from error


def _kind(error: Exception) -> str:
    """Redis's own code (`READONLY`), or the exception's name (`TimeoutError`)."""
    if not isinstance(error, RedisError):
        return type(error).__name__
    return next(iter(_CODE.findall(str(error))), None) or error.status_code or type(error).__name__
