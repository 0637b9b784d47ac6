"""Cached answers in Redis beyond the contract: more than one round trip takes, and what Redis drops or loses."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.state import Clock, Entry, StateUnavailable
from gateway.state.eviction import PAGE
from gateway.state.open import open_state
from gateway.state.redis.answers import RedisAnswers
from gateway.state.redis.server import Server
from tests.fakes.redis import RedisServer

ENTRY = Entry("a", "p", b"{}", 100.0, 200.0, b"\x00\xff" * 4, ("acme",), "What is a token?")


def play(folder: Path, scenario: Callable[[RedisAnswers, RedisServer], Awaitable[None]]) -> None:
    async def run(redis: RedisServer) -> None:
        server = Server(redis.url, 2.0)
        await scenario(RedisAnswers(server, Clock()), redis)
        await server.aclose()

    with RedisServer(folder) as redis:
        asyncio.run(run(redis))


def test_more_entries_than_one_piece_are_listed_followed_counted_and_removed(tmp_path: Path) -> None:
    async def scenario(answers: RedisAnswers, redis: RedisServer) -> None:
        count = 2 * PAGE + 7
        entries = [replace(ENTRY, key=f"{number:04}", tags=(str(number % 2),)) for number in range(count)]
        start = (await answers.changes(None)).cursor
        await asyncio.gather(*map(answers.put, entries))
        assert await keys(answers) == [entry.key for entry in entries]
        assert sorted(await followed(answers, start)) == [entry.key for entry in entries]
        assert await answers.count() == count
        assert await answers.purge("1") == count // 2
        assert await answers.purge() == count - count // 2
        assert left(redis) == []

    play(tmp_path, scenario)


def test_an_answer_that_redis_dropped_is_passed_over(tmp_path: Path) -> None:
    async def scenario(answers: RedisAnswers, redis: RedisServer) -> None:
        start = (await answers.changes(None)).cursor
        await answers.put(ENTRY)
        assert 0 < redis.admin.pttl("tollgate:{answers}:entry:a") <= 100_000
        redis.admin.delete("tollgate:{answers}:entry:a")
        assert await keys(answers) == []
        assert (await answers.changes(start)).removed == (("p", "a"),)
        assert await answers.purge("acme") == 0
        assert left(redis) == []

    play(tmp_path, scenario)


def test_who_follows_a_server_that_lost_its_memory_must_begin_anew(tmp_path: Path) -> None:
    """Also when the numbers of its log have reached the old ones again."""

    async def scenario(answers: RedisAnswers, redis: RedisServer) -> None:
        for lose in (redis.admin.flushall, redis.restart):
            await answers.put(ENTRY)
            cursor = (await answers.changes(None)).cursor
            lose()
            await answers.put(replace(ENTRY, key="b"))
            await answers.put(replace(ENTRY, key="c"))
            anew = await answers.changes(cursor)
            assert anew.whole
            assert not (await answers.changes(anew.cursor)).whole

    play(tmp_path, scenario)


def test_a_redis_that_cannot_compare_vectors_is_refused(redis_url: str, tmp_path: Path) -> None:
    with pytest.raises(StateUnavailable, match="no vector sets, which came with Redis 8"):
        asyncio.run(open_state(f"{redis_url}?vectors=yes&timeout_ms=5000", f"sqlite:///{tmp_path}/ledger.db"))
    with pytest.raises(ValueError, match="vectors=1 is neither yes nor no"):
        asyncio.run(open_state(f"{redis_url}?vectors=1"))


async def keys(answers: RedisAnswers) -> list[str]:
    return sorted([key async for page in answers.vectors("p", 150.0) for key, _ in page])


async def followed(answers: RedisAnswers, cursor: str) -> list[str]:
    """The keys that came since, over all pages."""
    found: list[str] = []
    while (page := await answers.changes(cursor)).cursor != cursor:
        found += [key for _, key, _ in page.added]
        cursor = page.cursor
    return found


def left(redis: RedisServer) -> list[str]:
    """The names of what there is beside the log, and the marks of what was purged."""
    kept = {"tollgate:{answers}:" + name for name in ("log", "number", "epoch", "purges")}
    return sorted(set(redis.admin.keys()) - kept)
