"""Shadows: run beside the answers, shown to nobody, charged to nobody, never in the way."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.backend import HANG, Script, words
from tests.gateway.assembled import Assembled, Outcome
from tests.gateway.calls import call, template
from tests.gateway.conftest import Make
from tests.gateway.live.prompts import Prompts
from tests.gateway.waiting import waited

SHADOW = "(shadow)"


@pytest.fixture
def prompts(tmp_path: Path) -> Prompts:
    made = Prompts(tmp_path / "prompts")
    made.write("v2")
    made.tag("v2")
    made.write("v1")
    made.tag("v1-again")
    return made


def shadowed(make: Make, prompts: Prompts, **section: Any) -> Assembled:
    """Every answer has its shadow, if there are tokens for it."""
    section = {"shadow": "v2", "shadow_share": 1.0, "shadow_tokens": 1.0} | section
    gateway = make(build={"prompts": prompts.folder}, canary={"say": section})
    for _ in range(10):
        gateway.ask("to earn tokens", cache="skip")
    return gateway


def asked(gateway: Assembled, version: str | None = None, **options: Any) -> Outcome:
    return gateway.ask(call(cache=options.pop("cache", "skip"), **options, **template("say", version, q="x")))


def rows(gateway: Assembled) -> list[dict[str, Any]]:
    return gateway.do(gateway.runtime.state.journal.latest(100, SHADOW))


def test_it_is_run_after_the_answer_under_its_own_version_and_nobody_pays(make: Make, prompts: Prompts) -> None:
    gateway = shadowed(make, prompts)
    answer = asked(gateway)
    assert answer.closed.gateway["prompt"]["digest"] == gateway.runtime.library.get("say").digest
    waited(lambda: len(rows(gateway)) == 1)
    (row,) = rows(gateway)
    assert row["prompt_digest"] == gateway.runtime.library.get("say", "v2").digest
    assert (row["prompt_version"], row["status"], row["checks"]) == ("v2", 200, "")
    assert row["tags"] == f'{{"shadow_of":"{answer.call.request_id}"}}'
    gateway.assert_settled(answer.call)  # its tenant has one row, and the budgets are that row's
    assert [seen.body["messages"][-1]["content"] for seen in gateway.chats()[-2:]] == ["v1: x", "v2: x"]


def test_it_leaves_nothing_in_the_cache_and_has_none_of_what_comes_from_it(make: Make, prompts: Prompts) -> None:
    gateway = shadowed(make, prompts)
    first = asked(gateway, cache="use")
    waited(lambda: len(rows(gateway)) == 1)
    kept = gateway.do(gateway.runtime.state.answers.count())
    assert kept == 1
    again = gateway.ask(call(who=first.call.caller, cache="use", **template("say", q="x")))
    assert again.cache["verdict"] == "exact"
    assert asked(gateway, "v2").error is None  # a request that names its version has no shadow either
    assert len(rows(gateway)) == 1


def test_tokens_bound_it(make: Make, prompts: Prompts) -> None:
    gateway = shadowed(make, prompts, shadow_tokens=1e-6)
    for _ in range(5):
        asked(gateway)
    assert rows(gateway) == []
    assert not gateway.runtime.reloading.now.own[0].value._tasks


def test_few_run_at_a_time_and_a_stop_ends_them(make: Make, prompts: Prompts) -> None:
    gateway = shadowed(make, prompts)
    usual = gateway.fake.usual
    hanging = Script((*words("Hel"), HANG))
    gateway.fake.usual = lambda seen: hanging if "v2" in str(seen.body["messages"]) else usual(seen)
    for _ in range(6):
        assert asked(gateway).error is None
    shadows = gateway.runtime.reloading.now.own[0].value
    waited(lambda: len([one for one in gateway.chats() if "v2" in str(one.body["messages"])]) == 2)
    assert len(shadows._tasks) == 2
    gateway.do(asyncio.wait_for(gateway.runtime.reloading.aclose(), 30))
    assert not shadows._tasks
    assert {(row["status"], row["error"]) for row in rows(gateway)} == {(499, "client_left")}


def test_where_the_engine_is_busy_there_is_none(make: Make, prompts: Prompts) -> None:
    gateway = shadowed(make, prompts)
    pool = gateway.runtime.models["small"].pool

    async def busy() -> None:
        holding = [pool.using(pool.backends[0]) for _ in range(64)]
        for one in holding:
            one.__enter__()
        answer = await gateway.reading(call(cache="skip", **template("say", q="x")))
        assert answer.error is None
        for one in holding:
            one.__exit__(None, None, None)

    gateway.do(busy())
    assert not gateway.runtime.reloading.now.own[0].value._tasks
    assert rows(gateway) == []


def test_one_that_fails_is_seen_by_nobody(make: Make, prompts: Prompts) -> None:
    gateway = shadowed(make, prompts)
    usual, broken = gateway.fake.usual, Script(status=500, steps=(b"{}",))
    gateway.fake.usual = lambda seen: broken if "v2" in str(seen.body["messages"]) else usual(seen)
    answer = asked(gateway)
    assert answer.error is None
    waited(lambda: len(rows(gateway)) == 1)
    gateway.assert_settled(answer.call)
