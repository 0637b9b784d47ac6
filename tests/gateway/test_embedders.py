"""Which replica makes the vectors when one does not. What a client sees of it: tests/gateway/api/embeddings."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

from gateway.embedders import Served
from gateway.models import Model
from serving.backend import Timeouts
from serving.pool import EJECT_AFTER_FAILURES, Pool
from serving.tokens import EstimateTokens
from tests.fakes.backend import HANG, Script, words
from tests.fakes.client import ASK, faked
from tests.gateway.api.embeddings.conftest import PATH, script
from tests.gateway.calls import call


def test_a_backend_whose_connections_are_all_in_use_is_none_that_failed() -> None:
    async def run() -> None:
        async with (
            faked(Script((*words("a"), HANG)), max_connections=1, timeouts=Timeouts(connect=0.2)) as (busy, _),
            faked() as (spare, fake),
            aclosing(busy.stream(ASK)) as held,
        ):
            await anext(held)
            fake.answers[PATH] = script(1)
            pool = Pool([busy, spare])
            served = Served(Model("pair", "tiny", pool, EstimateTokens(), 100, 1), 2, b"secret")
            asked = replace(call(), inputs=("a",))
            most = await served.count(asked)
            for _ in range(EJECT_AFTER_FAILURES):
                with pool.using(spare):  # the other comes first
                    assert (await served.embed(asked, most)).used.tokens == 5
            assert not pool.ejected(busy)

    asyncio.run(run())
