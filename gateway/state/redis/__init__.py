"""State in one Redis server: for several gateways that share limits, keys and answers."""

from gateway.state import State
from gateway.state.redis.answers import RedisAnswers
from gateway.state.redis.budgets import RedisBudgets
from gateway.state.redis.journal import RedisJournal
from gateway.state.redis.keys import RedisKeys
from gateway.state.redis.server import check_durable, connect


async def open_redis(url: str, durable: bool = True) -> State:
    """State at `redis://` or `rediss://`. Raises ValueError (URL) or StateUnavailable (unreachable, or not durable).

    `durable` False takes the server as it is: nothing of it is checked.
    """
    client = connect(url)
    try:
        if durable:
            await check_durable(client)
    except BaseException:
        await client.aclose()
        raise
    return State(RedisKeys(client), RedisBudgets(client), RedisAnswers(client), RedisJournal(client), client.aclose)
