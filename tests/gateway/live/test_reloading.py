"""Reload: all or nothing, beside the requests; what began with the old goes on with it."""

import asyncio
import gc
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.exchange import Opened
from gateway.live.reloading import Refused
from serving.events import Deltas
from tests.fakes.backend import FakeBackend, Script, said
from tests.gateway.assembled import Assembled, Outcome
from tests.gateway.calls import call, caller, template
from tests.gateway.conftest import Make
from tests.gateway.live.prompts import HEAD, Prompts, text
from tests.gateway.waiting import until, waited

ROUND = 10  # pairs of versions in one go: a minute is waited for them
BROKEN = (
    text("broken").replace("{{ q }}", "{{ missing }}"),
    text("broken", HEAD + "no_such_key: 1\n"),
    text("broken").replace("{% endmessage %}", ""),
    text("broken", HEAD.replace("model: small", "model: nowhere")),
    text("broken", HEAD + "on_stop: {ceiling: sometimes}\n"),
)


def asked(gateway: Assembled, cache: Any = "skip") -> Outcome:
    return gateway.ask(cache=cache, **template("say", q="x"))


def digest(outcome: Outcome) -> str:
    return str(outcome.closed.gateway["prompt"]["digest"])


def last_sent(gateway: Assembled) -> str:
    return str(gateway.chats()[-1].body["messages"][-1]["content"])


@pytest.fixture
def prompts(tmp_path: Path) -> Prompts:
    return Prompts(tmp_path / "prompts")


def build(prompts: Prompts, watch: bool = False) -> dict[str, Any]:
    return {"build": {"prompts": prompts.folder, "watch": watch}}


async def under_load(
    gateway: Assembled, prompts: Prompts, numbers: range, callers: int
) -> tuple[list[Outcome], list[float]]:
    """Write a good and a broken version for each of `numbers` while `callers` ask all the time; what they got, and how
    long each good version took to be seen."""
    outcomes, over, took = list[Outcome](), asyncio.Event(), list[float]()

    def seen(said: str, since: int) -> bool:
        return any(str(one.body["messages"][-1]["content"]) == said for one in gateway.chats()[since:])

    async def asking() -> None:
        while not over.is_set():
            one = await gateway.reading(call(cache="skip", **template("say", q="x")))
            one.call.trace.stages.clear()
            outcomes.append(one)

    async def writing() -> None:
        for number in numbers:
            began, count = time.monotonic(), len(outcomes)
            prompts.write(f"version {number}")
            await until(partial(seen, f"version {number}: x", count))
            took.append(time.monotonic() - began)
            prompts.put(BROKEN[number % len(BROKEN)].replace("broken", f"broken {number}"))
            await until(lambda: bool(gateway.runtime.reloading.warnings()))
        over.set()

    await asyncio.gather(writing(), *(asking() for _ in range(callers)))
    return outcomes, took


def loaded(make: Make, prompts: Prompts, pairs: int, callers: int) -> list[float]:
    gateway = make(**build(prompts, watch=True))
    outcomes, took = list[Outcome](), list[float]()
    for first in range(0, pairs, ROUND):
        numbers = range(first, min(first + ROUND, pairs))
        more, seen = gateway.do(under_load(gateway, prompts, numbers, callers))
        outcomes, took = outcomes + more, took + seen
    assert len(outcomes) > 10 * pairs
    assert [one.error for one in outcomes if one.error] == []
    sent = {str(seen.body["messages"][-1]["content"]) for seen in gateway.chats()}
    assert sent == {"v1: x", *(f"version {number}: x" for number in range(pairs))}
    return took


def test_under_load_no_request_fails_and_nothing_broken_is_served(make: Make, prompts: Prompts) -> None:
    loaded(make, prompts, pairs=3, callers=4)


@pytest.mark.prove
def test_a_hundred_good_and_a_hundred_broken_versions(make: Make, prompts: Prompts) -> None:
    took = sorted(loaded(make, prompts, pairs=100, callers=8))
    print(f"seen after {took[50]:.2f} s in the median, {took[-1]:.2f} s at most")
    assert took[50] < 1.0


def test_nothing_is_taken_up_by_itself_unless_it_is_watched(make: Make, prompts: Prompts) -> None:
    gateway = make(**build(prompts))
    first = digest(asked(gateway))
    prompts.write("v2")
    assert digest(asked(gateway)) == first
    found = gateway.do(gateway.runtime.reloading.reload())
    assert found.told() == {"settings": (), "prompts": {"added": (), "changed": ("say",), "removed": ()}}
    assert digest(asked(gateway)) != first
    assert not gateway.do(gateway.runtime.reloading.reload())


def reloads(gateway: Assembled) -> dict[str, float]:
    samples = (sample for metric in gateway.runtime.metrics.reloads.collect() for sample in metric.samples)
    return {sample.labels["outcome"]: sample.value for sample in samples if sample.name.endswith("_total")}


@pytest.mark.parametrize("broken", BROKEN, ids=["variable", "key", "block", "model", "remedy"])
def test_a_fault_keeps_what_was_running_and_is_told(make: Make, prompts: Prompts, broken: str) -> None:
    gateway = make(**build(prompts))
    first = digest(asked(gateway))
    prompts.put(broken)
    prompts.write("good", id="other")
    with pytest.raises(Refused) as refused:
        gateway.do(gateway.runtime.reloading.reload())
    assert "say" in str(refused.value)
    assert gateway.runtime.library.ids() == ["say"]  # nothing of it
    assert digest(asked(gateway)) == first
    assert any("what was loaded before goes on" in line for line in gateway.runtime.warnings())
    prompts.write("v2")
    gateway.do(gateway.runtime.reloading.reload())
    assert gateway.runtime.reloading.warnings() == []
    assert reloads(gateway) == {"refused": 1, "reloaded": 1}


def test_prices_bind_from_the_next_request_on(make: Make, prompts: Prompts) -> None:
    gateway = make(**build(prompts))
    before = asked(gateway).closed.cost_usd
    gateway.rewritten(prices={alias: {"input": 100.0, "output": 200.0, "cached": 10.0} for alias in ("small", "other")})
    assert gateway.do(gateway.runtime.reloading.reload()).settings == ("prices",)
    after = asked(gateway).closed.cost_usd
    assert before
    assert after == pytest.approx(100 * before)


def test_guards_and_policies_bind_from_the_next_request_on(make: Make, prompts: Prompts) -> None:
    gateway = make(**build(prompts))
    assert gateway.ask("tell me a secret word").error is None
    gateway.rewritten(guard={"words": {"kind": "words", "words": ["secret"]}}, check={"on_length": "error"})
    gateway.do(gateway.runtime.reloading.reload())
    assert "content_filter" in str(getattr(gateway.ask("tell me a secret word").error, "code", ""))
    gateway.fake.plan(Script(said("four", "word", finish="length")))
    assert getattr(gateway.ask("Cut", cache="skip").error, "code", None) == "output_truncated"


def test_what_needs_a_restart_is_refused_by_name_and_nothing_changes(make: Make, prompts: Prompts) -> None:
    gateway = make(**build(prompts))
    gateway.rewritten(server={"port": 9, "host": "0.0.0.0"}, cache={"max_entries": 7}, check={"on_length": "error"})
    with pytest.raises(Refused) as refused:
        gateway.do(gateway.runtime.reloading.reload())
    assert refused.value.faults == (
        "[server] host has changed, which needs a restart",
        "[server] port has changed, which needs a restart",
        "[cache] max_entries has changed, which needs a restart",
    )
    assert gateway.runtime.settings.check.on_length == "return"


def test_a_backend_that_does_not_answer_takes_no_place(make: Make, prompts: Prompts) -> None:
    gateway = make(**build(prompts))
    gone = {"backends": {"first": {"url": "http://127.0.0.1:9"}, "second": {"url": gateway.spare.url}}}
    gateway.rewritten(**gone)
    with pytest.raises(Refused, match="model 'small': backend 'first'"):
        gateway.do(gateway.runtime.reloading.reload())
    assert asked(gateway).error is None


def test_a_request_keeps_the_backend_it_began_with_and_its_connections_close_after_it(
    make: Make, prompts: Prompts
) -> None:
    gateway = make(**build(prompts))
    steps = said("Hel", "lo")
    gateway.fake.plan(Script(steps=(*steps[:2], 1.0, *steps[2:])))
    old = gateway.runtime.reloading.now.shared_models

    async def run() -> Outcome:
        answers = gateway.runtime.pipeline.run(asking)
        async with FakeBackend() as moved:
            opened = await anext(answers)
            assert isinstance(opened, Opened)
            assert isinstance(await anext(answers), Deltas)
            table = {"first": {"url": moved.url}, "second": {"url": gateway.spare.url}}
            gateway.rewritten(backends=table)
            await gateway.runtime.reloading.reload()
            assert (await gateway.reading(call(cache="skip"))).error is None
            assert len(moved.chats()) == 1
            assert old._users == 1  # the stream's
            rest = [answer async for answer in answers]
            return Outcome(asking, [opened, *rest], None)

    asking = call(cache="skip", stream=True)
    assert gateway.do(run()).text == "Hello"
    gc.collect()
    waited(lambda: old._users == 0)
    gateway.assert_settled(asking)


def test_what_did_not_change_is_shared(make: Make, prompts: Prompts) -> None:
    gateway = make(**build(prompts))
    before = gateway.runtime.reloading.now
    prompts.write("v2")
    gateway.do(gateway.runtime.reloading.reload())
    after = gateway.runtime.reloading.now
    assert after.shared_models is before.shared_models
    assert after.shared_collections is before.shared_collections
    assert after.schemas is before.schemas
    shared, ledger = before.shared_models, before.ledger
    assert ledger is not after.ledger
    del before, ledger
    gc.collect()
    waited(lambda: shared._users == 1)


def test_cached_answers_stay(make: Make, prompts: Prompts) -> None:
    gateway, who = make(**build(prompts)), caller()
    gateway.ask("Once", who=who)
    waited(lambda: gateway.ask("Once", who=who).cache["verdict"] == "exact")
    gateway.rewritten(prices={"small": {"input": 3.0, "output": 3.0}})
    gateway.do(gateway.runtime.reloading.reload())
    assert gateway.ask("Once", who=who).cache["verdict"] == "exact"
