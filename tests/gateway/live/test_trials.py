"""Hold-back: what is worse answers nobody any more, what is not goes on."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.exchange.side import Side, Trial
from gateway.live.holds import Holds
from gateway.live.trials import Trials
from gateway.quality.words import Word
from gateway.record import Record
from gateway.state import State
from gateway.state.open import open_state
from serving.events import Usage
from tests.fakes.backend import Script, Seen, said
from tests.gateway.assembled import Assembled
from tests.gateway.calls import call, template
from tests.gateway.conftest import Make
from tests.gateway.live.prompts import CHECKED, Prompts
from tests.gateway.waiting import waited

TRIAL = Trial("say", "v2", "d2", "d1", (("v2", 0.2),))
ONE = Record(
    request_id="r", at=0.0, tenant="t", key="k", model="small", backend="b", prompt="say", prompt_version="v1",
    prompt_digest="d1", tags=None, status=200, error=None, stop="complete", cache="miss", spent=Usage(), source="exact",
    cost_nano=0, duration_ms=1.0, ttft_ms=1.0, timings_ms={}, stages=[],
)  # fmt: skip


class Alone(Holds):
    """Of no other gateway."""

    def __init__(self) -> None:
        """It keeps nothing."""


def seen(canary: bool, conversation: int, *checks: Word, trial: Trial = TRIAL) -> Record:
    return replace(ONE, checks=checks, side=Side(canary, conversation.to_bytes(8, "big"), (trial,)))


def answers_until_held(seed: int, base: float, canary: float, answers: int) -> int | None:
    chance, trials = random.Random(seed), Trials(Alone())
    for number in range(answers):
        side = chance.random() < 0.2
        bad = chance.random() < (canary if side else base)
        trials.observe(seen(side, number, *(("invalid",) if bad else ())))
        if trials.held(TRIAL):
            return number
    return None


def test_a_planted_regression_is_held_back_in_all_of_20_seeds() -> None:
    took = [answers_until_held(seed, 0.01, 0.3, 2_000) for seed in range(20)]
    assert None not in took, took


def test_a_harmless_change_is_in_none() -> None:
    """The alarm rate is one in a thousand, from the first answer to the last."""
    assert {answers_until_held(seed, 0.05, 0.05, 1_000) for seed in range(20)} == {None}


@pytest.mark.prove
def test_so_it_is_in_ten_thousand_answers() -> None:
    took = sorted(answers_until_held(seed, 0.01, 0.3, 10_000) or 10_000 for seed in range(100))
    print(f"held back after {took[50]} answers in the median, {took[-1]} at most")
    assert took[-1] < 10_000
    assert [answers_until_held(seed, 0.05, 0.05, 10_000) for seed in range(100)].count(None) >= 99


def test_a_conversation_counts_once() -> None:
    trials = Trials(Alone())
    for number in range(200):
        trials.observe(seen(False, number))
        trials.observe(seen(True, 1_000, "invalid"))
    assert not trials.held(TRIAL)
    assert trials.told(TRIAL)["canary"] == {"answers": 1, "found": {"invalid": 1}}


def test_what_was_not_judged_does_not_count() -> None:
    trials = Trials(Alone())
    trials.observe(replace(seen(True, 1), checks=None))
    trials.observe(replace(seen(True, 1), side=None))
    assert trials.told(TRIAL)["canary"]["answers"] == 0


def test_other_weights_and_versions_begin_anew() -> None:
    keys = {
        trial.key
        for trial in (
            TRIAL, replace(TRIAL, weights=(("v2", 0.3),)), replace(TRIAL, digest="d3"), replace(TRIAL, base="d0")
        )
    }  # fmt: skip
    assert len(keys) == 4
    assert replace(TRIAL).key == TRIAL.key


# Through the whole gateway.


@pytest.fixture
def prompts(tmp_path: Path) -> Prompts:
    made = Prompts(tmp_path / "prompts", CHECKED)
    made.write("v2")
    made.tag("v2")
    made.write("v1")
    made.tag("v1-again")
    return made


def answering(seed: int, share: float) -> Callable[[Seen], Script]:
    """A backend whose answers to v2 are invalid in that share of the cases."""
    chance = random.Random(seed)

    def answer(seen: Seen) -> Script:
        new = seen.body["messages"][-1]["content"].startswith("v2")
        return Script(said("{}" if new and chance.random() < share else '{"ok": true}'))

    return answer


def asked(gateway: Assembled, name: object) -> str | None:
    """The version that answered, as the backend saw it."""
    gateway.ask(call(cache="skip", tags={"conversation": str(name)}, **template("say", q="x")))
    return str(gateway.chats()[-1].body["messages"][-1]["content"]).partition(":")[0]


def sections(prompts: Prompts) -> dict[str, Any]:
    return {"build": {"prompts": prompts.folder}, "canary": {"say": {"weights": {"v2": 0.5}}}}


def held(gateway: Assembled) -> bool:
    (trial,) = gateway.runtime.canaries.trials()
    return gateway.runtime.trials.held(trial)


def until_held(gateway: Assembled, most: int) -> int | None:
    for number in range(most):
        asked(gateway, number)
        if held(gateway):
            return number
    return None


def test_through_the_gateway_it_is_held_back_for_good_until_it_is_released(
    make: Make, prompts: Prompts, tmp_path: Path
) -> None:
    gateway = make(tmp_path / "state", **sections(prompts))
    gateway.fake.usual = answering(1, 0.3)
    assert until_held(gateway, 400) is not None
    assert {asked(gateway, number) for number in range(20)} == {"v1"}
    assert any("version v2 is held back" in line for line in gateway.runtime.warnings())
    waited(lambda: b'tollgate_canary_held{prompt="say",version="v2"} 1.0' in gateway.runtime.metrics.render())
    other = make(tmp_path / "state", **sections(prompts))  # another gateway of the state, or this one after a restart
    assert held(other)
    (trial,) = gateway.runtime.canaries.trials()
    gateway.do(gateway.runtime.trials.release(trial))
    assert not held(gateway)
    assert gateway.runtime.trials.told(trial)["canary"]["answers"] == 0
    waited(lambda: not held(other))
    assert {asked(other, number) for number in range(20)} == {"v1", "v2"}


def test_another_weight_is_another_trial(make: Make, prompts: Prompts) -> None:
    gateway = make(**sections(prompts))
    gateway.fake.usual = answering(2, 1.0)
    assert until_held(gateway, 200) is not None
    gateway.rewritten(canary={"say": {"weights": {"v2": 0.4}}})
    gateway.do(gateway.runtime.reloading.reload())
    assert not held(gateway)


def test_through_the_gateway_a_harmless_version_goes_on(make: Make, prompts: Prompts) -> None:
    gateway = make(**sections(prompts))
    gateway.fake.usual = answering(3, 0.0)
    assert until_held(gateway, 60) is None
    (trial,) = gateway.runtime.canaries.trials()
    told = gateway.runtime.trials.told(trial)
    assert told["base"]["answers"] + told["canary"]["answers"] == 60


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(20))
def test_through_the_gateway_with_20_seeds(make: Make, prompts: Prompts, seed: int, tmp_path: Path) -> None:
    for share, folder in ((0.3, "worse"), (0.0, "harmless")):
        gateway = make(tmp_path / folder, **sections(prompts))
        gateway.fake.usual = answering(seed, share)
        assert (until_held(gateway, 400) is None) is (share == 0.0)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_gateways_of_one_state_know_of_each_others(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{tmp_path}/state.db" if kind == "sqlite" else request.getfixturevalue("redis_url")
    trial = replace(TRIAL, digest=tmp_path.name)

    async def run(*states: State) -> None:
        one, two = (Trials(Holds(state.journal, state.clock.now)) for state in states)
        for number in range(200):
            one.observe(seen(False, number, trial=trial))
            one.observe(seen(True, 1_000 + number, "invalid", trial=trial))
        assert one.held(trial)
        await one.follow()
        await two.follow()
        assert two.held(trial)
        await two.release(trial)
        await one.follow()
        assert not one.held(trial)
        rows = await states[0].journal.latest(2, "(canary)")
        assert [(row["stop"], row["prompt_version"]) for row in rows] == [("released", "v2"), ("held_back", "v2")]

    async def opened() -> None:
        states = [await open_state(url, f"sqlite:///{tmp_path}/{name}.db") for name in ("one", "two")]
        try:
            await run(*states)
        finally:
            for state in states:
                await state.close()

    asyncio.run(opened())
