import json

import pytest
import redis

from gateway.state.redis.scripts import CHECKPOINT, HOLD, SETTLE

COUNTER, HELD, OPEN = "tollgate:{t}:count", "tollgate:{t}:hold:r", "tollgate:{t}:open"


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    return client


def hold(client: "redis.Redis") -> object:
    charges = json.dumps([[COUNTER, "tokens", "7"]])
    return client.register_script(HOLD)(keys=[HELD, OPEN, COUNTER], args=["r", "owner", "[]", charges, 1, 7, 50, 60])


def settle(client: "redis.Redis") -> object:
    return client.register_script(SETTLE)(keys=[HELD, OPEN], args=["r", 60, "tokens", 3])


def test_a_hold_that_arrives_after_its_settlement_sets_nothing_aside(client: "redis.Redis") -> None:
    """Two calls over two connections, swapped on the way."""
    assert settle(client) == []
    assert hold(client) == [1, 0, 0]
    assert client.hgetall(COUNTER) == {}
    assert client.smembers(OPEN) == set()


def test_nothing_stays_for_ever(client: "redis.Redis") -> None:
    assert hold(client) == [1, 0, 7]
    assert settle(client) == [b"[]", 3, 0]
    assert 0 < int(client.ttl(COUNTER)) <= 60
    assert 0 < int(client.ttl(HELD)) <= 60
    assert not client.exists(OPEN)


def test_a_settlement_does_not_revive_a_counter_that_is_gone(client: "redis.Redis") -> None:
    hold(client)
    client.delete(COUNTER)
    assert settle(client) == [b"[]", 0, 0]
    assert not client.exists(COUNTER)


def test_a_checkpoint_makes_no_hold(client: "redis.Redis") -> None:
    client.register_script(CHECKPOINT)(keys=[HELD], args=["tokens", 3])
    assert hold(client) == [1, 0, 7]
