"""Route, where the gateway itself has no connection left to a backend."""

import asyncio
from contextlib import aclosing

from gateway.errors import Wire
from serving.errors import BackendBusy
from serving.pool import EJECT_AFTER_FAILURES
from tests.fakes.backend import HANG, Script, words
from tests.gateway.assembled import Outcome
from tests.gateway.calls import call, caller
from tests.gateway.conftest import Make
from tests.gateway.stages.test_route import routes
from tests.gateway.waiting import until


def test_a_backend_whose_connections_are_all_in_use_is_none_that_failed(make: Make) -> None:
    """It is at work on what it was given. Others stand in; where there are none, it is overload."""
    gateway = make(first={"max_connections": 1, "connect_s": 0.5})
    gateway.fake.plan(Script((*words("a", "b"), HANG)))

    async def scenario() -> tuple[list[Outcome], Outcome]:
        async with aclosing(gateway.runtime.pipeline.run(call(cache="skip"))) as holding:
            await anext(holding)
            others = [gateway.reading(call(cache="skip")) for _ in range(EJECT_AFTER_FAILURES)]
            alone = gateway.reading(call(model="free", cache="skip", who=caller(limits=())))
            *stood_in, refused = await asyncio.gather(*others, alone)
        return stood_in, refused

    stood_in, refused = gateway.do(scenario())
    for outcome in stood_in:
        assert routes(gateway, outcome.call) == [("first", "BackendBusy"), ("second", None)]
    assert isinstance(refused.error, BackendBusy)
    wire = Wire.of(refused.error, refused.call.request_id)
    assert (wire.status, wire.code) == (503, "overloaded")
    assert routes(gateway, gateway.ask(cache="skip").call) == [("first", None)]


def test_who_leaves_while_it_waits_for_a_connection_pays_nothing(make: Make) -> None:
    """Its prompt is packed and its tokens are held, but the engine never hears of it."""
    gateway = make(first={"max_connections": 1})
    gateway.fake.plan(Script((*words("a"), HANG)))
    asked = call(cache="skip")

    async def leave() -> None:
        async with aclosing(gateway.runtime.pipeline.run(call(cache="skip"))) as holding:
            await anext(holding)
            waiting = asyncio.ensure_future(gateway.reading(asked))
            pool = gateway.runtime.models["small"].pool
            await until(lambda: pool.in_flight(pool.backends[0]) == 2)
            waiting.cancel()
            await asyncio.wait([waiting])

    gateway.do(leave())
    assert len(gateway.chats()) == 1
    row = gateway.row(asked)
    assert (row["status"], row["input_tokens"], row["cost_nano"]) == (499, 0, 0)
    gateway.assert_settled(asked)
