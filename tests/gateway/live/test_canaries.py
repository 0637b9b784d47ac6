"""Which version answers: shares, stickiness, what a request says itself."""

from pathlib import Path
from typing import Any

import pytest

from gateway.exchange import Call
from gateway.exchange.side import Side, Trial
from gateway.live.canaries import Canaries, conversation
from gateway.live.trials import Trials
from gateway.settings import Canary, SettingsError
from prompts.library import Library
from tests.gateway.assembled import Assembled
from tests.gateway.calls import call, caller, template
from tests.gateway.conftest import Make
from tests.gateway.live.prompts import Prompts
from tests.gateway.waiting import waited

WHO = caller("acme")


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Prompts:
    """Versions v1, v2 and v3 of `say`; v1 is in force."""
    made = Prompts(tmp_path_factory.mktemp("canaries") / "prompts")
    for name in ("v2", "v3"):
        made.write(name)
        made.tag(name)
    made.write("v1")
    made.tag("latest-again")
    return made


class Held(Trials):
    """Trials of which some are held back."""

    def __init__(self, *versions: str) -> None:
        self._versions = versions

    def held(self, trial: Trial) -> bool:
        return trial.version in self._versions


def canaries(prompts: Prompts, *held: str, **section: Any) -> Canaries:
    return Canaries({"say": Canary(**section)}, Library.load(prompts.folder), Held(*held))


def named(name: str, **options: Any) -> Call:
    """A request of a conversation."""
    return call(who=WHO, tags={"conversation": name}, **template("say", q="x"), **options)


def answers(chosen: Canaries, number: int) -> tuple[str, Side]:
    found = chosen.choose(named(str(number)))
    assert found
    return found[0].render({"q": ""})[0]["content"].rstrip(": "), found[1]


def test_shares_are_the_weights(prompts: Prompts) -> None:
    """Within four standard deviations: one run of 16,000 is outside."""
    chosen, many = canaries(prompts, weights={"v2": 0.1, "v3": 0.25}), 4_000
    found = [answers(chosen, number)[0] for number in range(many)]
    for version, weight in (("v2", 0.1), ("v3", 0.25), ("v1", 0.65)):
        deviation = (weight * (1 - weight) / many) ** 0.5
        assert abs(found.count(version) / many - weight) < 4 * deviation


def test_a_conversation_stays_in_every_gateway_and_a_larger_weight_lets_none_go(prompts: Prompts) -> None:
    small, again, large = (canaries(prompts, weights={"v2": weight}) for weight in (0.1, 0.1, 0.3))
    for number in range(500):
        assert answers(small, number) == answers(small, number) == answers(again, number)
        if answers(small, number)[1].canary:
            assert answers(large, number)[1].canary


def test_what_is_counted_is_the_trial_of_the_version_or_all_of_the_one_in_force(prompts: Prompts) -> None:
    chosen = canaries(prompts, weights={"v2": 0.3, "v3": 0.3})
    found = [answers(chosen, number) for number in range(50)]
    counted = {version: [trial.version for trial in side.trials] for version, side in found}
    assert counted == {"v1": ["v2", "v3"], "v2": ["v2"], "v3": ["v3"]}


def test_a_tag_goes_before_the_weights_and_counts_nowhere(prompts: Prompts) -> None:
    chosen = canaries(prompts, weights={"v2": 1.0}, tagged={"ring=beta": "v3"})
    found = chosen.choose(call(tags={"ring": "beta"}, **template("say", q="x")))
    assert found
    assert (found[0].version, found[1]) == ("v3", Side(True))
    other = chosen.choose(call(tags={"ring": "alpha"}, **template("say", q="x")))
    assert other
    assert other[0].version == "v2"


def test_what_is_held_back_answers_nobody(prompts: Prompts) -> None:
    chosen = canaries(prompts, "v2", weights={"v2": 1.0}, tagged={"ring=beta": "v2"})
    assert answers(chosen, 1)[0] == "v1"
    found = chosen.choose(call(tags={"ring": "beta"}, **template("say", q="x")))
    assert found
    assert not found[1].canary


@pytest.mark.parametrize("version", ["v1", "v3"])
def test_a_request_that_names_its_version_is_left_alone(prompts: Prompts, version: str) -> None:
    assert canaries(prompts, weights={"v2": 1.0}).choose(call(**template("say", version, q="x"))) is None


def test_latest_names_no_version(prompts: Prompts) -> None:
    assert canaries(prompts, weights={"v2": 1.0}).choose(call(**template("say", "latest", q="x")))


SAID = ({"role": "user", "content": "First"}, {"role": "assistant", "content": "a"})


def test_what_makes_a_conversation() -> None:
    first = conversation(call(who=WHO, messages=SAID[:1]))
    assert first == conversation(call(who=WHO, messages=(*SAID, {"role": "user", "content": "Second"})))
    assert first != conversation(call(who=WHO, messages=({"role": "user", "content": "Other"},)))
    assert first != conversation(call(who=caller("other"), messages=SAID[:1]))
    assert conversation(named("a")) == conversation(call(who=WHO, messages=SAID, tags={"conversation": "a"}))
    assert conversation(named("a")) != conversation(named("b"))
    asked = call(who=WHO, **template("say", q="x"))
    assert conversation(asked) == conversation(call(who=WHO, **template("say", q="x")))
    assert conversation(asked) != conversation(call(who=WHO, **template("say", q="y")))


def test_every_answer_names_the_version_that_made_it(make: Make, prompts: Prompts) -> None:
    gateway = make(build={"prompts": prompts.folder}, canary={"say": {"weights": {"v2": 0.5}}})
    found = [gateway.ask(named(f"{number}", cache="skip")) for number in range(12)]
    sides = {str(one.closed.gateway["prompt"].get("canary")) for one in found}
    assert sides == {"True", "None"}
    for one in found:
        told, sent = one.closed.gateway["prompt"], gateway.chats()[found.index(one)].body["messages"][-1]["content"]
        assert sent == ("v2: x" if told.get("canary") else "v1: x")
        row = gateway.row(one.call)
        assert (row["prompt_version"], row["prompt_digest"]) == (told["version"], told["digest"])
        assert told["digest"] == gateway.runtime.library.get("say", "v2" if told.get("canary") else None).digest


def test_the_cache_keeps_versions_apart(make: Make, prompts: Prompts) -> None:
    gateway = make(build={"prompts": prompts.folder}, canary={"say": {"weights": {"v2": 0.5}}})
    asked = {bool(conversing(gateway, name)): name for name in map(str, range(12))}
    assert set(asked) == {True, False}
    assert {one.body["messages"][-1]["content"] for one in gateway.chats()} == {"v1: x", "v2: x"}
    for canary, name in asked.items():
        waited(lambda name=name: gateway.ask(named(name, cache="use")).cache["verdict"] == "exact")  # type: ignore[misc]
        assert conversing(gateway, name) is canary


def conversing(gateway: Assembled, name: str) -> bool:
    """Whether a canary answers it, from the cache or not."""
    return bool(gateway.ask(named(name, cache="use")).closed.gateway["prompt"].get("canary"))


def test_a_canary_that_is_none_keeps_the_gateway_from_starting(make: Make, prompts: Prompts, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\[canary.say\].*'v9'"):
        make(build={"prompts": prompts.folder}, canary={"say": {"weights": {"v9": 0.5}}})
