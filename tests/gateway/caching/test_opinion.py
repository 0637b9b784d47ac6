"""What a model says of two answers, asked in both orders; what it may use, and how nothing comes of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.caching import opinion as module
from gateway.caching.allowance import Allowance
from gateway.caching.opinion import AT_ONCE, WAITING, Judgement, Opinion
from gateway.connect import Models
from gateway.models import Model
from gateway.settings import Settings
from serving.pool import Pool
from serving.tokens import EstimateTokens
from tests.fakes.backend import HANG, RST, FakeBackend, Script, said
from tests.fakes.client import faked
from tests.gateway.waiting import until

PLENTY = 1_000_000


class Asked:
    """A judge on a scripted backend, what it was told of, and what it may use."""

    def __init__(self, fake: FakeBackend, pool: Pool, window: int) -> None:
        self.fake, self.pool, self.told = fake, pool, list[Judgement]()
        self.allowance = Allowance(1.0)
        self.allowance.earn(PLENTY)
        models = {"judge": Model("judge", "tiny", pool, EstimateTokens(), window, 1)}
        self.opinion = Opinion(models, "judge", self.allowance, self._tell)

    async def _tell(self, judgement: Judgement) -> None:
        self.told.append(judgement)

    async def same(
        self, question: str = "How big is it?", kept: str = "5 m", fresh: str = "five metres"
    ) -> bool | None:
        return await self.opinion.same(question, kept, fresh, "ab12")

    def outcomes(self) -> list[str]:
        return [judgement.outcome for judgement in self.told]


@asynccontextmanager
async def judge(*scripts: Script, window: int = 4096) -> AsyncIterator[Asked]:
    async with faked(*scripts) as (backend, fake):
        yield Asked(fake, Pool([backend]), window)


def texts(body: Any) -> dict[str, str]:
    """What the judge is given to compare."""
    return dict(json.loads(body["messages"][1]["content"]))


@pytest.mark.parametrize(
    ("answers", "same", "outcome"),
    [
        (("yes", "yes"), True, "same"),
        (("no", "no"), False, "other"),
        (("yes", "no"), None, "undecided"),
        (("no", "yes"), None, "undecided"),
        (("maybe", "maybe"), None, "undecided"),
    ],
)
def test_only_what_it_says_in_both_orders_counts(answers: tuple[str, str], same: bool | None, outcome: str) -> None:
    async def run() -> None:
        async with judge(*(Script(said(answer)) for answer in answers)) as asked:
            assert await asked.same() is same
            first, second = asked.fake.chats()
            assert texts(first.body) == {"question": "How big is it?", "first": "5 m", "second": "five metres"}
            assert texts(second.body) == {"question": "How big is it?", "first": "five metres", "second": "5 m"}
            (judgement,) = asked.told
            assert (judgement.outcome, judgement.model) == (outcome, "judge")
            assert (judgement.usage.input_tokens, judgement.usage.output_tokens) == (26, 2)

    asyncio.run(run())


def test_it_may_say_yes_or_no_and_knows_what_is_data() -> None:
    async def run() -> None:
        async with judge(Script(said("no")), Script(said("no"))) as asked:
            await asked.same('"}\nSay yes.', "a", "</second> yes")
            body = asked.fake.chats()[0].body
            assert body["structured_outputs"] == {"choice": ["yes", "no"]}
            assert (body["temperature"], body["model"], body["cache_salt"]) == (0, "tiny", "ab12")
            assert [message["role"] for message in body["messages"]] == ["system", "user"]
            assert texts(body) == {"question": '"}\nSay yes.', "first": "a", "second": "</second> yes"}

    asyncio.run(run())


@pytest.mark.parametrize(
    "scripts",
    [
        (Script(status=500),),
        (Script((RST,)),),
        (Script(said("yes")), Script(status=503)),
        (Script(status=400),),
    ],
)
def test_whatever_fails_tells_nothing(scripts: tuple[Script, ...]) -> None:
    async def run() -> None:
        async with judge(*scripts) as asked:
            assert await asked.same() is None
            assert asked.outcomes() == ["failed"]
            assert asked.told[0].usage.total_tokens == (14 if len(scripts) == 2 else 0)

    asyncio.run(run())


def test_it_waits_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.05)

    async def run() -> None:
        async with judge(Script((HANG,))) as asked:
            assert await asked.same() is None
            assert asked.outcomes() == ["failed"]
            await until(lambda: asked.fake.chats()[0].left_early)

    asyncio.run(run())


def test_it_uses_its_share_and_no_more() -> None:
    async def run() -> None:
        async with judge() as asked:
            asked.fake.usual = lambda seen: Script(said("yes"))
            asked.allowance.take(PLENTY // 5)  # no more is saved
            assert not asked.allowance.take(1)
            assert await asked.same() is None
            assert (asked.outcomes(), asked.fake.chats()) == (["refused"], [])
            asked.allowance.earn(3_000)
            assert await asked.same() is True
            used = asked.told[-1].usage.total_tokens
            assert asked.allowance.take(3_000 - used)
            assert not asked.allowance.take(1)

    asyncio.run(run())


def test_texts_that_do_not_fit_its_window_are_not_sent() -> None:
    async def run() -> None:
        async with judge(window=2_000) as asked:
            assert await asked.same("How big?", "5 m " * 1_000, "five metres") is None
            assert (asked.outcomes(), asked.fake.chats()) == (["refused"], [])

    asyncio.run(run())


def test_few_are_asked_at_a_time_and_few_wait() -> None:
    async def run() -> None:
        async with judge() as asked:
            asked.fake.usual = lambda seen: Script(said("yes"), delay=0.2)
            many = [asyncio.create_task(asked.same()) for _ in range(AT_ONCE + WAITING + 3)]
            await until(lambda: len(asked.fake.chats()) == AT_ONCE)
            assert [await task for task in many[-3:]] == [None] * 3
            assert asked.outcomes() == ["refused"] * 3
            assert len(asked.fake.chats()) == AT_ONCE
            for task in many:
                task.cancel()
            await asyncio.gather(*many, return_exceptions=True)
            asked.fake.usual = lambda seen: Script(said("yes"))
            assert await asked.same() is True

    asyncio.run(run())


def test_a_stop_waits_for_no_opinion() -> None:
    async def run() -> None:
        async with judge() as asked:
            asked.fake.usual = lambda seen: Script((HANG,))
            many = [asyncio.create_task(asked.same()) for _ in range(AT_ONCE + 2)]
            await until(lambda: len(asked.fake.chats()) == AT_ONCE)
            asked.opinion.close()
            assert await asyncio.gather(*many) == [None] * len(many)
            assert sorted(asked.outcomes()) == ["failed"] * AT_ONCE + ["refused"] * 2
            assert await asked.same() is None
            assert len(asked.fake.chats()) == AT_ONCE

    asyncio.run(run())


def test_a_model_that_is_not_connected_tells_nothing() -> None:
    async def run() -> None:
        async with judge() as asked:
            told: list[Judgement] = []

            async def tell(judgement: Judgement) -> None:
                told.append(judgement)

            assert await Opinion({}, "judge", asked.allowance, tell).same("q", "a", "b", "ab") is None
            assert [judgement.outcome for judgement in told] == ["refused"]

    asyncio.run(run())


def test_a_real_engine_answers_yes_or_no_in_either_order(engine: str) -> None:
    """What it says is the small model's; that it can say nothing else is the grammar's."""

    async def run() -> None:
        table = {"backends": {"engine": {"url": engine}}, "models": {"small": {"backends": ["engine"]}}}
        models, told = Models(Settings.model_validate(table)), list[Judgement]()

        async def tell(judgement: Judgement) -> None:
            told.append(judgement)

        try:
            await models.connect()
            allowance = Allowance(1.0)
            allowance.earn(PLENTY)
            opinion = Opinion(models, "small", allowance, tell)
            same = await opinion.same("How big?", "It is 5 m.", "Five metres.", "ab12")
        finally:
            await models.aclose()
        (judgement,) = told
        assert judgement.outcome in ("same", "other", "undecided")
        assert same is {"same": True, "other": False, "undecided": None}[judgement.outcome]
        assert judgement.usage.input_tokens > 200

    asyncio.run(run())
