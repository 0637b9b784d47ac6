"""Calls to a real server: their replies, whoever is cancelled and however many there are.

To one that fails: `test_server_failing.py`.
"""

import asyncio
import random
import time

import pytest

from gateway.state.redis.server import Server, tagged
from tests.fakes.redis import RedisServer
from tests.gateway.state.redis.playing import LONG_S, play, refused


def test_commands_pipelines_and_scripts_have_their_replies(redis: RedisServer) -> None:
    async def scenario(server: Server) -> None:
        assert await server.hset("h", mapping={"f": "1"}) == 1
        assert await server.hgetall("h") == {b"f": b"1"}
        pipeline = server.pipeline()
        for number in range(100):
            pipeline.set(f"k{number}", number)
            pipeline.get(f"k{number}")
        assert (await pipeline.execute())[1::2] == [str(number).encode() for number in range(100)]
        assert await pipeline.execute() == []
        script = server.register_script("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}")
        assert await script(keys=["n"], args=["x"]) == [b"n", b"x", 1]
        redis.admin.script_flush()
        assert await script(keys=["n"], args=["y"]) == [b"n", b"y", 2]
        assert [seconds for seconds, _ in await server.on_each("TIME")] == [pytest.approx(time.time(), abs=LONG_S)]
        with pytest.raises(ValueError, match="write a script"):
            server.pipeline(transaction=True)

    play(redis.url, scenario)


def test_kept_connections_that_were_closed_are_made_again(redis: RedisServer) -> None:
    async def scenario(server: Server) -> None:
        for _ in range(3):
            await asyncio.gather(*(server.set("a", "1") for _ in range(5)))
            redis.admin.client_kill_filter(_type="normal", skipme=True)
        redis.restart()
        await asyncio.gather(*(server.get("a") for _ in range(5)))

    play(redis.url, scenario)


def test_a_password_that_is_wrong_is_a_refusal(redis: RedisServer) -> None:
    async def scenario(server: Server) -> None:
        assert "WRONGPASS" in await refused(server.get("a"))

    play(redis.url.replace("redis://", "redis://nobody:word@"), scenario)


@pytest.mark.parametrize("calls", [300, pytest.param(20_000, marks=pytest.mark.prove)])
def test_cancelled_calls_mix_no_replies(redis: RedisServer, calls: int) -> None:
    """Every call asks for its own key; a reply meant for another would show."""
    chance = random.Random(7)

    async def scenario(server: Server) -> None:
        echo = server.register_script("return ARGV[1]")

        async def ask(number: int) -> None:
            text = str(number)
            assert await echo(keys=["a"], args=[text]) == text.encode()
            pipeline = server.pipeline()
            pipeline.set(text, text)
            pipeline.get(text)
            assert await pipeline.execute() == [True, text.encode()]

        async def hurried(number: int) -> None:
            task = asyncio.create_task(ask(number))
            await asyncio.sleep(chance.choice((0, 0, 0.001, 0.002, 0.01)))
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() or task.exception() is None, task.exception()
            await ask(number)

        for start in range(0, calls, 100):
            await asyncio.gather(*map(hurried, range(start, start + 100)))
        assert redis.admin.info()["connected_clients"] <= 66

    play(redis.url, scenario, LONG_S)


def test_more_calls_than_connections_wait_for_one(redis: RedisServer) -> None:
    async def scenario(server: Server) -> None:
        assert len(set(await asyncio.gather(*(server.incr("n") for _ in range(2_000))))) == 2_000

    play(redis.url, scenario)


def test_no_name_reads_as_part_of_a_key() -> None:
    assert tagged("a}:b", "hold", "x:{y}") == "tollgate:{a%7D%3Ab}:hold:x%3A%7By%7D"
