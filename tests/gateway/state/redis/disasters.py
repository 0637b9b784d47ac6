"""How a Redis forgets."""

from collections.abc import Callable

from tests.fakes.redis import RedisServer

Disaster = Callable[[RedisServer], object]


def flush(server: RedisServer) -> None:
    server.admin.flushall()


def kill(server: RedisServer) -> None:
    server.kill()
    server.start()


def empty(server: RedisServer) -> None:
    server.kill()
    server.restart(empty=True)


def shorten(server: RedisServer) -> None:
    """A restart that lost the end of its file, as `appendfsync everysec` may."""
    server.kill()
    log = next(server.folder.glob("*.aof"))
    log.write_bytes(log.read_bytes()[: -max(1, log.stat().st_size // 3)])
    server.start()
