import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
import redis

from gateway.state import Hold, Limit, State, StateUnavailable
from gateway.state.open import open_state
from gateway.state.redis.server import TIMEOUT, finished, tagged

TOKENS = Limit("tokens", "day", 50)


def hold(request_id: str) -> Hold:
    return Hold(request_id, "acme", "k1", "owner", {"tokens": 10}, (TOKENS,), (), 1_000_000.0)


def play(url: str, scenario: Callable[[State], Awaitable[None]]) -> None:
    async def run() -> None:
        state = await open_state(url)
        try:
            await scenario(state)
        finally:
            await state.close()

    asyncio.run(asyncio.wait_for(run(), 60))


async def nothing(state: State) -> None:
    assert await state.budgets.open_holds() == []


@pytest.fixture
def admin(redis_url: str) -> Iterator["redis.Redis"]:
    """The server from the outside, empty; its settings are put back afterwards."""
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    before = {name: str(client.config_get(name)[name]) for name in ("appendonly", "maxmemory", "maxmemory-policy")}
    yield client
    for name, value in before.items():
        client.config_set(name, value)


@contextmanager
def listening(answers: bool) -> Iterator[str]:
    """A port where nothing listens, or where a server takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if answers:
            server.listen()
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("appendonly", "no", "Set `appendonly yes`"),
        ("maxmemory-policy", "allkeys-lru", "`maxmemory-policy allkeys-lru`.*Set `maxmemory-policy noeviction`"),
        ("maxmemory-policy", "volatile-ttl", "Set `maxmemory-policy noeviction`"),
    ],
)
def test_a_server_that_would_forget_budgets_is_refused(
    admin: "redis.Redis", redis_url: str, name: str, value: str, message: str
) -> None:
    admin.config_set(name, value)
    with pytest.raises(StateUnavailable, match=message):
        play(redis_url, nothing)
    play(redis_url + "?durable=no", nothing)


def test_a_server_that_does_not_tell_is_refused_unless_vouched_for(admin: "redis.Redis", redis_url: str) -> None:
    admin.acl_setuser(
        "guest", enabled=True, passwords=["+word"], keys=["*"], categories=["+@all"], commands=["-config"]
    )
    url = redis_url.replace("redis://", "redis://guest:word@")
    with pytest.raises(StateUnavailable, match=r"CONFIG is refused.*add `\?durable=no`"):
        play(url, nothing)
    play(url + "?durable=no", nothing)
    admin.acl_deluser("guest")


@pytest.mark.parametrize("answers", [False, True], ids=["refuses", "hangs"])
def test_a_server_that_is_not_there_fails_and_never_hangs(answers: bool) -> None:
    with listening(answers) as url, pytest.raises(StateUnavailable, match="Redis cannot answer") as error:
        play(url, nothing)
    assert "127.0.0.1" not in str(error.value)


def test_a_wrong_password_is_a_refusal(redis_url: str) -> None:
    with pytest.raises(StateUnavailable, match="Redis cannot answer"):
        play(redis_url.replace("redis://", "redis://nobody:word@") + "?durable=no", nothing)


def test_closed_connections_and_lost_scripts_are_made_good(admin: "redis.Redis", redis_url: str) -> None:
    async def scenario(state: State) -> None:
        for number in range(3):
            assert (await state.budgets.hold(hold(f"r{number}")))[0].held == 10 * (number + 1)
            admin.script_flush()
            admin.client_kill_filter(_type="normal", skipme=True)

    play(redis_url, scenario)


def test_full_memory_admits_nothing_and_recovers(admin: "redis.Redis", redis_url: str) -> None:
    async def scenario(state: State) -> None:
        admin.config_set("maxmemory", 1)
        with pytest.raises(StateUnavailable, match="OutOfMemory"):
            await state.budgets.hold(hold("r1"))
        admin.config_set("maxmemory", 0)
        assert await state.budgets.settle("r1", {}) == []
        assert (await state.budgets.hold(hold("r2")))[0].held == 10

    play(redis_url, scenario)


def test_a_hold_whose_answer_came_too_late_leaves_nothing_behind(admin: "redis.Redis", redis_url: str) -> None:
    """The server stands still for longer than a call may take; the settlement finds the hold, or the hold its mark."""

    async def scenario(state: State) -> None:
        admin.client_pause(int(TIMEOUT * 1500))
        with pytest.raises(StateUnavailable, match="Timeout"):
            await state.budgets.hold(hold("r1"))
        await state.budgets.settle("r1", {})
        await asyncio.sleep(TIMEOUT)
        assert await state.budgets.open_holds() == []
        (balance,) = await state.budgets.balances("acme", "k1", [TOKENS], [], 1_000_000.0)
        assert (balance.used, balance.held) == (0, 0)

    play(redis_url, scenario)


def test_a_cancelled_call_has_ended_when_its_caller_hears_of_it() -> None:
    async def scenario() -> None:
        sent, ended = asyncio.Event(), []

        async def call() -> None:
            sent.set()
            for _ in range(5):
                await asyncio.sleep(0)
            ended.append(True)

        task = asyncio.create_task(finished(call()))
        await sent.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [True]

    asyncio.run(scenario())


def test_no_name_reads_as_part_of_a_key() -> None:
    assert tagged("a}:b", "hold", "x:{y}") == "tollgate:{a%7D%3Ab}:hold:x%3A%7By%7D"
