"""Second opinions in a whole gateway: what comes near to a hit is compared, a judge tells what else nobody could, and a
verifier serves what it has proven."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.caching.judgements import JUDGE
from gateway.caching.names import scored, undecided
from gateway.exchange import Caller
from gateway.rerank import RERANK
from gateway.state import Observation
from tests.fakes.backend import HANG, JSON, Script, said
from tests.fakes.background import running
from tests.gateway.assembled import Assembled, assembled
from tests.gateway.calls import caller, template
from tests.gateway.conftest import Make
from tests.gateway.waiting import POLL_S, POLLS

ASKED = "How do I reset my password?"
REWORDED = "How can I reset my password?"
STRICT = 0.0025  # the reworded question is no hit by the prior alone, but near to one
LONG = "why " * 400  # more than the embedder reads: nothing is told from its vector


def advised(question: str) -> dict[str, Any]:
    return template("advise", question=question, audience="experts")


def pool_of(who: Caller) -> str:
    return f"tenant:{who.tenant}:advise:small"


def observed(gateway: Assembled, pool: str, many: int = 1) -> list[Observation]:
    """What was learned under a name, once it is so many."""
    for _ in range(POLLS):
        if len(known := gateway.do(gateway.runtime.state.feedback.observations(pool))) >= many:
            return known
        time.sleep(POLL_S)
    raise AssertionError("nothing was learned")


def compared(gateway: Assembled, who: Caller, kept: str, fresh: str) -> dict[str, Any]:
    """What the cache says of a reworded question that is answered anew."""
    gateway.fake.plan(Script(said(kept)), Script(said(fresh)))
    gateway.ask(who=who, **advised(ASKED))
    return gateway.ask(who=who, **advised(REWORDED)).cache


@pytest.fixture(scope="module")
def strict(prompts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembled]:
    """Every question is near at best, and all that are near are compared; `other` judges."""
    cache = {"sample": 1.0, "max_error_rate": STRICT, "judge": "other", "judge_share": 1.0}
    folder = tmp_path_factory.mktemp("strict")
    with running(assembled(folder, build={"prompts": prompts}, cache=cache)) as gateway:
        yield gateway


@pytest.mark.parametrize(("fresh", "right"), [("By mail.", True), ("By phone.", False)])
def test_what_comes_near_to_a_hit_is_compared(strict: Assembled, fresh: str, right: bool) -> None:
    who = caller()
    missed = compared(strict, who, "By mail.", fresh)
    assert missed["reason"].startswith("the nearest question does not stand for this one")
    assert missed["instead"]["near"] is True
    (told,) = observed(strict, pool_of(who))
    assert (told.right, told.source, round(told.probability, 4)) == (right, "near", missed["instead"]["probability"])
    assert 0.5 <= told.probability < 1 - STRICT


@pytest.mark.parametrize(("sample", "many"), [(0.0, 0), (0.2, 1)])
def test_it_is_compared_five_times_as_often_as_a_hit_is(make: Make, prompts: Path, sample: float, many: int) -> None:
    gateway = make(build={"prompts": prompts}, cache={"sample": sample, "max_error_rate": STRICT})
    missed = compared(gateway, caller(), "By mail.", "By mail.")
    assert ("instead" in missed) is bool(many)


@pytest.mark.parametrize(("says", "right"), [("yes", True), ("no", False)])
def test_the_judge_tells_what_nobody_else_could(strict: Assembled, says: str, right: bool) -> None:
    """It reads both answers as data, twice; nobody's budget pays, and it is seen."""
    who = caller()
    for number in range(8):  # it may use what requests have used
        strict.ask(f"What is {number}?", who=caller(), cache="skip")
    before = len(strict.spare.chats())
    strict.spare.usual = lambda seen: Script(said(says))
    compared(strict, who, LONG + "bread", LONG + "cheese")
    (told,) = observed(strict, pool_of(who))
    assert told.right is right
    first, second = [json.loads(seen.body["messages"][1]["content"]) for seen in strict.spare.chats()[before:]]
    assert first == {"question": REWORDED, "first": LONG + "bread", "second": LONG + "cheese"}
    assert second == first | {"first": first["second"], "second": first["first"]}
    rows = strict.do(strict.runtime.state.journal.latest(1, JUDGE))
    assert (rows[0]["model"], rows[0]["stop"], rows[0]["input_tokens"]) == ("other", "same" if right else "other", 26)
    shown = strict.runtime.metrics.render().decode()
    assert f'tollgate_judge_total{{outcome="{rows[0]["stop"]}"}} 1.0' in shown
    used = strict.do(strict.runtime.state.journal.usage(("tenant",), 0.0, 1e11, who.tenant))
    assert used[0]["requests"] == 2


def test_what_the_judge_cannot_tell_either_is_counted(strict: Assembled) -> None:
    who = caller()
    for number in range(8):
        strict.ask(f"What is {number}?", who=caller(), cache="skip")
    says = iter(("yes", "no"))
    strict.spare.usual = lambda seen: Script(said(next(says)))
    compared(strict, who, LONG + "bread", LONG + "cheese")
    (told,) = observed(strict, undecided(pool_of(who)))
    assert (told.right, told.source) == (False, "near")
    assert strict.do(strict.runtime.state.feedback.observations(pool_of(who))) == []


def test_without_a_judge_it_is_counted_too(make: Make, prompts: Path) -> None:
    gateway, who = make(build={"prompts": prompts}, cache={"sample": 1.0}), caller()
    compared(gateway, who, LONG + "bread", LONG + "cheese")
    assert len(observed(gateway, undecided(pool_of(who)))) == 1


@pytest.fixture(scope="module")
def verified(prompts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembled]:
    """A cross-encoder on the second backend, which scores every pair as 0.9."""
    cache = {"sample": 0.2, "max_error_rate": STRICT, "verifier": "cross", "verifier_s": 0.5}
    models = {"small": {"backends": ["first"], "max_output": 64}, "cross": {"backends": ["second"], "scores": True}}
    folder = tmp_path_factory.mktemp("verified")
    with running(assembled(folder, build={"prompts": prompts}, cache=cache, models=models)) as gateway:
        yield gateway


def score(gateway: Assembled, *scores: float) -> None:
    """What the cross-encoder says from now on."""
    results = [{"index": number, "relevance_score": score} for number, score in enumerate(scores)]
    gateway.spare.answers[RERANK] = Script((json.dumps({"results": results}).encode(),), headers=JSON)


def proven(gateway: Assembled, who: Caller, right: int) -> None:
    """So many pairs with a score of 0.8 were right."""

    async def observe() -> None:
        pool, feedback = scored(pool_of(who), "cross"), gateway.runtime.state.feedback
        seen = [Observation(pool, "k", 0.9, 0.8, True, float(number)) for number in range(right)]
        await asyncio.gather(*map(feedback.observe, seen))

    gateway.do(observe())


def test_a_verifier_serves_nothing_before_it_has_proven_anything_and_learns(verified: Assembled) -> None:
    who = caller()
    score(verified, 0.9)
    missed = compared(verified, who, "By mail.", "By mail.")
    assert missed["verdict"] == "miss"
    assert missed["instead"]["verifier"] == {"model": "cross", "score": 0.9, "probability": 0.0}
    (told,) = observed(verified, scored(pool_of(who), "cross"))
    assert (told.probability, told.right) == (0.9, True)
    asked = verified.spare.requests[-1]
    assert (asked.path, asked.body["query"], asked.body["documents"]) == (RERANK, REWORDED, [ASKED])


def test_a_verifier_serves_what_it_has_proven(verified: Assembled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.9)  # no hit is answered anew
    who = caller()
    proven(verified, who, 1_900)
    score(verified, 0.9)
    hit = compared(verified, who, "By mail.", "unused")
    verified.fake._plan.clear()
    assert hit["verdict"] == "semantic", hit
    assert hit["verifier"]["probability"] >= 1 - STRICT
    assert hit["reasons"][-1].startswith("cross scores the pair 0.900")
    score(verified, 0.7)  # lower than what was proven
    assert verified.ask(who=who, **advised("How could I reset my password?")).cache["verdict"] == "miss"


def test_feedback_on_a_verified_hit_teaches_the_verifier(verified: Assembled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.9)
    who = caller()
    proven(verified, who, 1_900)
    score(verified, 0.9)
    verified.ask(who=who, **advised(ASKED))
    hit = verified.ask(who=who, **advised(REWORDED))
    assert hit.cache["verdict"] == "semantic"
    row = verified.do(verified.runtime.state.journal.read(hit.call.request_id))
    assert row is not None
    assert verified.do(verified.runtime.pipeline.cache.corrections.tell(row, False))
    told = observed(verified, scored(pool_of(who), "cross"), 1_901)[-1]
    assert (told.right, told.source, told.probability) == (False, "user", 0.9)


def test_a_verifier_that_is_slow_is_a_miss(make: Make, prompts: Path) -> None:
    cache = {"sample": 0, "max_error_rate": STRICT, "verifier": "cross", "verifier_s": 0.05}
    models = {"small": {"backends": ["first"], "max_output": 64}, "cross": {"backends": ["second"], "scores": True}}
    gateway = make(build={"prompts": prompts}, cache=cache, models=models)
    gateway.spare.answers[RERANK] = Script((HANG,), headers=JSON)
    missed = compared(gateway, caller(), "By mail.", "By mail.")
    assert missed["reason"].endswith("not verified: backend 'second': no answer within 0.05 s")


def test_what_is_forbidden_or_served_is_not_verified(verified: Assembled) -> None:
    who, before = caller(), len(verified.spare.requests)
    verified.ask(who=who, **advised("How do I store 500 gigabytes?"))
    assert "numbers" in verified.ask(who=who, **advised("How do I store 50 gigabytes?")).cache["reason"]
    verified.ask(who=who, **advised("How do I store 500 gigabytes?"))
    assert len(verified.spare.requests) == before
