"""Cached answers in Redis beyond the contract: more than one round trip takes."""

import asyncio
from dataclasses import replace
from pathlib import Path

from gateway.state import Entry
from gateway.state.redis.answers import PIECE, RedisAnswers
from gateway.state.redis.server import Server
from tests.fakes.redis import RedisServer

ENTRY = Entry("a", "p", b"{}", 100.0, 200.0, b"\x00\xff" * 4, ("acme",), "What is a token?")


def test_more_entries_than_one_piece_are_listed_counted_and_removed(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = Server(redis.url, 2.0)
        answers = RedisAnswers(server)
        count = 2 * PIECE + 7
        entries = [replace(ENTRY, key=f"{number:04}", tags=(str(number % 2),)) for number in range(count)]
        await asyncio.gather(*map(answers.put, entries))
        assert [key for key, _ in await answers.vectors("p", 150.0)] == [entry.key for entry in entries]
        assert await answers.count() == count
        assert await answers.purge("1") == count // 2
        assert await answers.purge() == count - count // 2
        assert redis.admin.keys() == []
        await server.aclose()

    with RedisServer(tmp_path) as redis:
        asyncio.run(scenario())


def test_an_answer_that_redis_dropped_is_passed_over(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = Server(redis.url, 2.0)
        answers = RedisAnswers(server)
        await answers.put(ENTRY)
        assert 0 < redis.admin.pttl("tollgate:answer:a") <= 100_000
        redis.admin.delete("tollgate:answer:a")
        assert await answers.vectors("p", 150.0) == []
        assert await answers.purge("acme") == 0
        assert redis.admin.keys() == []
        await server.aclose()

    with RedisServer(tmp_path) as redis:
        asyncio.run(scenario())
