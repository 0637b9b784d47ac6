"""How the cache learns what its similar answers are worth, and what its settings and templates let it do."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import CacheOnly
from gateway.state import Observation
from tests.fakes.backend import Script, said
from tests.fakes.background import running
from tests.gateway.assembled import Assembled, Outcome, assembled
from tests.gateway.calls import call, caller, template
from tests.gateway.waiting import POLL_S, POLLS, waited

ASKED = "What is the use of a key-value cache?"
REWORDED = "What's the use of a key-value cache?"

PERSONAL = """---
description: What only its tenant's user may see.
variables: {question: {type: string}}
question: question
cache: {personal: true}
---
{% message role="user" %}{{ question }}{% endmessage %}
"""
PUBLIC = """---
description: The same for everybody, and soon old.
variables: {question: {type: string}}
question: question
cache: {tier: semantic, kind: closed, ttl_s: 100}
sampling: {max_tokens: 16}
---
{% message role="user" %}{{ question }}{% endmessage %}
"""


@pytest.fixture(scope="module")
def library(prompts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    shutil.copytree(prompts, folder, dirs_exist_ok=True)
    templates = folder / "templates"
    (templates / "personal.md.j2").write_text(PERSONAL)
    (templates / "public.md.j2").write_text(PUBLIC)
    return folder


@pytest.fixture(scope="module")
def sampling(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembled]:
    """Every would-be hit is answered anew."""
    cache = {"sample": 1.0, "shared": ["public"], "charge": "tokens"}
    with running(assembled(tmp_path_factory.mktemp("sampling"), build={"prompts": library}, cache=cache)) as gateway:
        yield gateway


def advised(question: str) -> dict[str, Any]:
    return template("advise", question=question, audience="experts")


def observed(gateway: Assembled, who: Any, prompt: str = "advise", many: int = 1) -> list[Observation]:
    """What was learned of a tenant's template, once it is so many."""
    pool = f"tenant:{who.tenant}:{prompt}:small"
    for _ in range(POLLS):
        if len(known := gateway.do(gateway.runtime.state.feedback.observations(pool))) >= many:
            return known
        time.sleep(POLL_S)
    raise AssertionError("nothing was learned")


@pytest.mark.parametrize(
    ("kept", "fresh", "right"),
    [
        ("It keeps keys  and values.", "It keeps keys and values.", True),
        ("It keeps the keys and the values of all tokens.", "It keeps keys and values for all of the tokens.", True),
        ("It is a kind of memory for 80 tokens.", "It is a kind of memory for 90 tokens.", False),
        ("Yes.", "No.", False),
        ('{"a": 1, "b": [2]}', '{"b": [2], "a": 1}', True),
        ('{"a": 1}', '{"a": 2}', False),
        ("The weather in Paris is often mild.", "A tokenizer splits texts into smaller pieces.", False),
        ("It keeps keys and values of all tokens.", "I'm sorry, but with this I cannot help you.", False),
    ],
)
def test_a_would_be_hit_is_answered_anew_and_compared(sampling: Assembled, kept: str, fresh: str, right: bool) -> None:
    who = caller()
    sampling.fake.plan(Script(said(kept)), Script(said(fresh)))
    sampling.ask(who=who, **advised(ASKED))
    anew = sampling.ask(who=who, **advised(REWORDED))
    assert (anew.text, anew.opened.cache) == (fresh, "miss")
    assert anew.cache["reason"] == "a semantic hit, answered anew to compare (sample)"
    instead = anew.cache["instead"]
    (told,) = observed(sampling, who)
    assert (told.right, told.source) == (right, "fresh")
    assert (told.key, round(told.probability, 4)) == (instead["entry"], instead["probability"])
    assert told.features
    assert "features" not in instead  # which are for who teaches, not for clients
    assert 0.9 < told.similarity < 1


def test_a_fresh_answer_is_kept_and_an_exact_hit_is_no_would_be_hit(sampling: Assembled) -> None:
    who = caller()
    sampling.fake.plan(Script(said("It keeps keys.")), Script(said("It keeps values.")))
    sampling.ask(who=who, **advised(ASKED))
    sampling.ask(who=who, **advised(REWORDED))
    observed(sampling, who)
    again = sampling.ask(who=who, **advised(REWORDED))
    assert (again.text, again.opened.cache) == ("It keeps values.", "exact")


def test_what_cannot_be_told_teaches_nothing(sampling: Assembled) -> None:
    who = caller()
    sampling.fake.plan(Script(said("cut", finish="length")), Script(said("It keeps keys.")))
    sampling.ask(who=who, **advised(ASKED))
    assert "instead" not in sampling.ask(who=who, **advised(REWORDED)).cache  # nothing was kept
    assert sampling.do(sampling.runtime.state.feedback.observations(f"tenant:{who.tenant}:advise:small")) == []


def test_who_wants_a_cached_answer_is_not_answered_anew(sampling: Assembled) -> None:
    who = caller()
    sampling.ask(who=who, **advised(ASKED))
    hit = sampling.ask(who=who, cache="only", **advised(REWORDED))
    assert hit.cache["verdict"] == "semantic"


def test_a_hit_is_charged_as_configured(sampling: Assembled, core: Assembled) -> None:
    for gateway, tokens in ((sampling, 2), (core, 0)):
        who = caller()
        made, hit = gateway.ask(ASKED, who=who), gateway.ask(ASKED, who=who)
        assert hit.cache["verdict"] == "exact"
        assert hit.closed.usage == made.closed.usage
        row = gateway.row(hit.call)
        assert row["output_tokens"] == tokens
        assert bool(row["cost_nano"]) == bool(tokens)
        gateway.assert_settled(made.call, hit.call)


def test_a_declared_prompt_is_shared_by_all_tenants(sampling: Assembled) -> None:
    question = "Is this for everybody?"
    sampling.ask(**template("public", question=question))
    assert sampling.ask(**template("public", question=question)).cache["verdict"] == "exact"
    sampling.ask(**advised(question))
    assert sampling.ask(**advised(question)).cache["verdict"] == "miss"


def test_a_template_says_how_long_its_answers_live(sampling: Assembled) -> None:
    asked = template("public", question="How long?")
    sampling.ask(**asked)
    at = time.time()
    assert sampling.ask(at=at + 80, **asked).cache["verdict"] == "exact"
    assert sampling.ask(at=at + 110, cache="use", **asked).cache["verdict"] == "miss"


@pytest.mark.parametrize("cache", ["auto", "use", "refresh"])
def test_personal_answers_are_never_kept(sampling: Assembled, cache: str) -> None:
    who, asked = caller(), template("personal", question="Who am I?")
    made = sampling.ask(who=who, cache=cache, **asked)
    assert made.cache == {"verdict": "miss", "reason": "the answers of this prompt are personal"}
    assert isinstance(sampling.ask(who=who, cache="only", **asked).error, CacheOnly)


def test_shadow_answers_nothing_and_measures_all(library: Path, tmp_path: Path) -> None:
    cache = {"semantic": "shadow", "sample": 0}
    with running(assembled(tmp_path, build={"prompts": library}, cache=cache)) as gateway:
        who = caller()
        gateway.ask(who=who, **advised(ASKED))
        anew = gateway.ask(who=who, **advised(REWORDED))
        assert anew.cache["reason"] == "a semantic hit, which is only measured (shadow)"
        only = gateway.ask(who=who, cache="only", **advised(REWORDED + " Please tell."))
        assert isinstance(only.error, CacheOnly)
        assert [told.right for told in observed(gateway, who)] == [True]
        assert gateway.ask(who=who, **advised(ASKED)).cache["verdict"] == "exact"


@pytest.mark.parametrize(("second", "verdict"), [("Order one in the app.", "semantic"), ("Block it first.", "miss")])
def test_of_a_closed_set_the_answers_nearby_decide(library: Path, tmp_path: Path, second: str, verdict: str) -> None:
    """The same answer to two questions around the new one speaks for it, another one against it."""
    cache = {"sample": 0, "shared": ["public"]}
    with running(assembled(tmp_path, build={"prompts": library}, cache=cache)) as gateway:
        kept = {"How can I order a new card?": "Order one in the app.", "I want to get a new card": second}
        gateway.fake.plan(*(Script(said(answer)) for answer in kept.values()))
        for question in kept:
            gateway.ask(cache="refresh", **template("public", question=question))
        found = gateway.ask(**template("public", question="How do I get a new card?"))
        assert found.cache["verdict"] == verdict


def test_without_similarity_there_are_exact_hits_only(library: Path, tmp_path: Path) -> None:
    with running(assembled(tmp_path, build={"prompts": library}, cache={"semantic": "off"})) as gateway:
        who = caller()
        gateway.ask(who=who, **advised(ASKED))
        assert gateway.ask(who=who, **advised(REWORDED)).cache["reason"] == "no equal request, and similarity is off"
        assert gateway.ask(who=who, **advised(ASKED)).cache["verdict"] == "exact"


@pytest.mark.parametrize(
    ("kept", "asked"),
    [("What's the latest model?", "What is the latest model?"), ("Is it open now?", "Is it open now, please?")],
)
def test_what_depends_on_the_time_is_never_compared(core: Assembled, kept: str, asked: str) -> None:
    who = caller()
    core.ask(who=who, **advised(kept))
    assert core.ask(who=who, **advised(asked)).cache["reason"].endswith("depends on the time")
    assert core.ask(who=who, **advised(kept)).cache["verdict"] == "exact"


@pytest.mark.parametrize(
    "fields", [{"n": 2}, {"logprobs": True}, {"tools": [{"type": "function", "function": {"name": "look_up"}}]}]
)
def test_what_has_more_than_a_text_is_never_compared(core: Assembled, fields: dict[str, Any]) -> None:
    who = caller()
    asked = [call(text, who=who, fields=fields, cache="use", semantic=True) for text in (ASKED, REWORDED)]
    outcomes: list[Outcome] = [core.ask(one) for one in asked]
    assert "none is compared" in outcomes[1].cache["reason"]


def test_a_request_that_asks_for_variety_gets_it_although_its_template_is_cached(core: Assembled) -> None:
    who, varied = caller(), advised(ASKED) | {"fields": {"temperature": 0.9}}
    for _ in range(2):
        assert core.ask(who=who, **varied).cache["reason"] == "caching is off for this kind of request"
    core.ask(who=who, cache="use", **varied)
    assert core.ask(who=who, cache="use", **varied).cache["verdict"] == "exact"


def test_the_key_ignores_only_what_does_not_change_the_question(core: Assembled) -> None:
    who = caller()
    core.ask("Où est le café ?", who=who)
    assert core.ask("  Ou\u0300 est le cafe\u0301 ?\n", who=who).cache["verdict"] == "exact"
    for other in ("où est le café ?", "Où est  le café ?", "Ou est le cafe ?"):
        assert core.ask(other, who=who).cache["verdict"] == "miss"


def test_what_users_say_forgets_and_teaches(core: Assembled) -> None:
    """Once, however often it is said; of an exact hit there is nothing to learn."""
    who, corrections = caller(), core.runtime.pipeline.cache.corrections
    core.ask(who=who, **advised(ASKED))
    hit = core.ask(who=who, **advised(REWORDED))
    assert hit.cache["verdict"] == "semantic"
    row = core.do(core.runtime.state.journal.read(hit.call.request_id))
    assert row is not None
    assert [core.do(corrections.tell(row, False)) for _ in range(2)] == [True, False]
    assert [(told.right, told.source) for told in observed(core, who)] == [(False, "user")]
    assert isinstance(core.ask(who=who, cache="only", **advised(ASKED)).error, CacheOnly)
    assert isinstance(core.ask(who=who, cache="only", **advised(REWORDED)).error, CacheOnly)


def test_what_was_learned_decides(core: Assembled) -> None:
    """Many wrong would-be hits, and the same question is no hit any more."""
    who = caller()
    core.ask(who=who, **advised(ASKED))
    hit = core.ask(who=who, **advised(REWORDED)).cache
    assert (hit["verdict"], "features" in hit) == ("semantic", False)
    wrong = Observation(hit["pool"], hit["entry"], hit["score"], hit["probability"], False, 0.0)
    for number in range(60):
        core.do(core.runtime.pipeline.cache.corrections._lessons._evidence.learn(replace(wrong, at=float(number))))
    waited(lambda: core.ask(who=who, cache="use", **advised(REWORDED)).cache["verdict"] == "miss")


def test_of_several_that_may_be_served_the_most_probable_is(library: Path, tmp_path: Path) -> None:
    """The first is nearer (cosine 0.970, probability 0.53), the second asks the same (0.963, 0.98)."""
    with running(
        assembled(tmp_path, build={"prompts": library}, cache={"sample": 0, "max_error_rate": 0.48})
    ) as gateway:
        who = caller()
        kept = {"What is the way to reset my password?": "Ask.", "How do I reset my password please?": "By mail."}
        gateway.fake.plan(*(Script(said(answer)) for answer in kept.values()))
        for question in kept:
            gateway.ask(who=who, cache="refresh", **advised(question))
        hit = gateway.ask(who=who, **advised("How can I reset my password?"))
        assert (hit.cache["verdict"], hit.text) == ("semantic", "By mail.")
