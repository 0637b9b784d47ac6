"""Every failure of the client is told as one, by its kind. The servers that fail so are in test_server.py."""

import pytest
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ResponseError,
    SlotNotCoveredError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from gateway.state import StateUnavailable
from gateway.state.redis.failures import translated

SCRIPT = "Error running script (call to f_1): @user_script:3: -OOM command not allowed when used memory > 'maxmemory'."


@pytest.mark.parametrize(
    ("error", "kind", "answered"),
    [
        (RedisConnectionError("to 10.0.0.1:6379"), "ConnectionError", False),
        (ConnectionResetError(104, "10.0.0.1"), "ConnectionResetError", False),
        (TimeoutError(), "TimeoutError", False),
        (SlotNotCoveredError("slot 7"), "SlotNotCoveredError", False),
        (BusyLoadingError("Redis is loading", status_code="LOADING"), "LOADING", False),
        (ClusterDownError("CLUSTERDOWN The cluster is down", status_code="CLUSTERDOWN"), "CLUSTERDOWN", True),
        (MasterDownError("Link with MASTER is down", status_code="MASTERDOWN"), "MASTERDOWN", True),
        (TryAgainError("Multiple keys request", status_code="TRYAGAIN"), "TRYAGAIN", True),
        (OutOfMemoryError("command not allowed", status_code="OOM"), "OOM", True),
        (ResponseError(SCRIPT, status_code="ERR"), "OOM", True),
        (ResponseError("NOREPLICAS Not enough good replicas to write."), "NOREPLICAS", True),
        (ResponseError("wrong number of arguments", status_code="ERR"), "ERR", True),
    ],
)
def test_a_failure_is_named_by_its_kind_and_quotes_nothing(error: Exception, kind: str, answered: bool) -> None:
    heard: list[tuple[str, bool]] = []
    with pytest.raises(StateUnavailable) as told, translated(lambda *failure: heard.append(failure)):
        raise error
    assert str(told.value) == f"Redis cannot answer ({kind})"
    assert heard == [(kind, answered)]


def test_what_is_no_failure_of_redis_passes() -> None:
    with pytest.raises(KeyError), translated():
        raise KeyError("a bug")
