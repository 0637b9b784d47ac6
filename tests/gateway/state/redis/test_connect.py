"""URLs. What is reached by them is in test_server.py and test_forms.py."""

import asyncio
from typing import Any

import pytest
from redis.asyncio.connection import SSLConnection

from gateway.state.redis.connect import connect


def built(url: str) -> Any:
    """The client, made inside a loop as in the gateway."""

    async def make() -> Any:
        return connect(url)

    return asyncio.run(make())


@pytest.mark.parametrize(
    ("url", "host", "port", "db", "user", "password"),
    [
        ("redis://h", "h", None, None, None, None),
        ("redis://u:p%40w@h:7000/3", "h", 7000, 3, "u", "p@w"),
        ("rediss://:pw@h:7000/0", "h", 7000, 0, None, "pw"),
    ],
)
def test_one_server(url: str, host: str, port: int, db: int, user: str, password: str) -> None:
    options = built(url).connection_pool.connection_kwargs
    found = [options.get(name) for name in ("host", "port", "db", "username", "password")]
    assert found == [host, port, db, user, password]
    assert issubclass(built(url).connection_pool.connection_class, SSLConnection) == url.startswith("rediss")


def test_sentinels_and_their_masters_name() -> None:
    pool = built("redis+sentinel://u:p@a:1,[::1]:2,c/my%2Fmaster?db=4&tls=yes&sentinel_password=s").connection_pool
    sentinels = [one.connection_pool.connection_kwargs for one in pool.sentinel_manager.sentinels]
    assert [(one["host"], one["port"]) for one in sentinels] == [("a", 1), ("::1", 2), ("c", 26379)]
    assert {one["password"] for one in sentinels} == {"s"}
    assert pool.service_name == "my/master"
    options = pool.connection_kwargs
    assert (options["db"], options["username"], options["password"]) == (4, "u", "p")
    assert issubclass(pool.connection_class, SSLConnection)


def test_a_clusters_nodes() -> None:
    cluster = built("redis+cluster://:p@a:1,b")
    assert [(node.host, node.port) for node in cluster.startup_nodes] == [("a", 1), ("b", 6379)]
    assert cluster.connection_kwargs["password"] == "p"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://h", "http:// is no form of a Redis URL"),
        ("redis://h:port", "[Pp]ort"),
        ("redis://h?socket_timeout=x", "socket_timeout"),
        ("redis+sentinel://h:1", "lacks the master's name"),
        ("redis+sentinel:///mymaster", "lacks a host"),
        ("redis+sentinel://a,,b/mymaster", "lacks a host"),
        ("redis+sentinel://h/mymaster?db=x", "db=x is no number"),
        ("redis+sentinel://h/mymaster?tls=maybe", "tls=maybe is neither yes nor no"),
        ("redis+sentinel://h/mymaster?ssl=yes", "knows no option ssl: known are db, tls"),
        ("redis+cluster://", "lacks a host"),
        ("redis+cluster://h:1,g:port", "[Pp]ort"),
        ("redis+cluster://h/1", "no numbered databases: leave /1 out"),
        ("redis+cluster://h?db=1", "knows no option db: known are tls"),
    ],
)
def test_a_wrong_url_is_a_value_error_that_says_what_is_wrong(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        built(url)
