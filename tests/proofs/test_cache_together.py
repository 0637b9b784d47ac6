"""A thousand identical requests at once are one generation: of one gateway, of its workers, of two that share a Redis.

The gateways are processes; the backend counts what reaches it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fakes.backend import FakeBackend, Script, said
from tests.fakes.redis import RedisServer
from tests.gateway.waiting import until, waited
from tests.harness.client import Reply, chat
from tests.harness.counting import ASKED
from tests.harness.gateway import Gateway, serving

pytestmark = pytest.mark.prove

MANY = 1000
LIMITS = ("requests/day=1000000", "tokens/day=100000000")
BODY = {"model": "small", "messages": ASKED, "max_tokens": 8, "gateway": {"cache": "use"}}
TEXT = ("Once", " for", " all.")
SLOW_S = 5.0  # until an answer begins: long enough for all the others to come first


@pytest.fixture(params=["one", "workers", "redis"])
def gateways(request: pytest.FixtureRequest, fake: FakeBackend, tmp_path: Path) -> Iterator[list[Gateway]]:
    """One alone, one of two workers on a file, or two that share a Redis."""
    with ExitStack() as stack:
        if request.param == "redis":
            yield pair(stack, fake, tmp_path)
        else:
            workers, state = (1, 2)[request.param == "workers"], f"sqlite:///{tmp_path}/state.db"
            yield [stack.enter_context(serving(tmp_path, fake.url, state, workers=workers))]


def pair(stack: ExitStack, fake: FakeBackend, folder: Path) -> list[Gateway]:
    url = stack.enter_context(RedisServer(folder / "redis")).url
    places = [folder / name for name in ("first", "second")]
    for place in places:
        place.mkdir()
    return [stack.enter_context(serving(place, fake.url, url)) for place in places]


async def ask(gateways: list[Gateway], key: str, many: int) -> list[Reply]:
    """As many at once, in turns of the gateways, every second one streamed."""
    asked = ((gateways[number % len(gateways)].url, BODY | {"stream": number % 2 == 0}) for number in range(many))
    return list(await asyncio.gather(*(chat(url, key, body) for url, body in asked)))


def said_by(reply: Reply) -> str:
    """Whether the whole text came, streamed or not."""
    assert reply.status == 200, bytes(reply.body)
    raw = b"".join(reply.events) if reply.events else bytes(reply.body)
    return "whole" if all(piece.strip().encode() in raw for piece in TEXT) else raw.decode()


def test_a_thousand_at_once_are_one_generation(fake: FakeBackend, gateways: list[Gateway]) -> None:
    fake.usual = lambda seen: Script(said(*TEXT), delay=SLOW_S)
    key = gateways[0].key("acme", *LIMITS)
    replies = asyncio.run(ask(gateways, key, MANY))
    assert {said_by(reply) for reply in replies} == {"whole"}
    assert len(fake.chats()) == 1
    assert sum(reply.headers["x-cache"] == "miss" for reply in replies) == 1


def test_a_leader_that_is_killed_costs_one_more(fake: FakeBackend, tmp_path: Path) -> None:
    """The others wait for its answer at another gateway; with its death the claim is free, and one of them makes it."""
    fake.usual = lambda seen: Script(said(*TEXT), delay=SLOW_S)
    with ExitStack() as stack:
        first, second = pair(stack, fake, tmp_path)
        key = first.key("acme", *LIMITS)

        async def run() -> list[Reply]:
            leading = asyncio.create_task(ask([first], key, 1))
            await until(lambda: bool(fake.chats()))
            following = asyncio.create_task(ask([second], key, MANY))
            await asyncio.sleep(SLOW_S / 2)
            first.kill()
            (broken,) = await leading
            assert broken.status == 0
            return await following

        replies = asyncio.run(run())
        assert {said_by(reply) for reply in replies} == {"whole"}
        assert len(fake.chats()) == 2
        waited(lambda: second.get("/health/ready") == 200)
