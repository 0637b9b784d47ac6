"""Which answers stand for which requests: hits of both tiers, every kind of miss and its reason.

What is kept of an answer, and what never: `test_cache_kept.py`.
"""

import time
from typing import Any

import pytest

from gateway.errors import CacheOnly
from gateway.exchange import Retrieval
from gateway.state import StateUnavailable
from tests.fakes.backend import Script, said
from tests.gateway.assembled import Assembled
from tests.gateway.calls import caller, template
from tests.gateway.conftest import Make

ASKED = "What is the use of a key-value cache?"
REWORDED = "What's the use of a key-value cache?"


def explained(question: str, audience: str = "experts") -> dict[str, Any]:
    return template("advise", question=question, audience=audience)


def test_the_same_request_is_answered_from_the_cache(core: Assembled) -> None:
    who = caller()
    made, hit = core.ask(ASKED, who=who), core.ask(ASKED, who=who)
    assert made.cache == {"verdict": "miss", "reason": made.cache["reason"], "entry": hit.cache["entry"]}
    assert (hit.cache["verdict"], hit.cache["score"], hit.opened.cache) == ("exact", 1.0, "exact")
    assert hit.text == made.text == hit.streamed
    assert hit.closed.completion.choices == made.closed.completion.choices
    assert hit.opened.start.id == f"chatcmpl-{hit.call.request_id}"


def test_streamed_and_buffered_calls_share_their_answers(core: Assembled) -> None:
    who = caller()
    core.ask(ASKED, who=who, stream=True)
    assert core.ask(ASKED, who=who).cache["verdict"] == "exact"


def test_a_reworded_question_is_answered_where_the_template_allows_it(core: Assembled) -> None:
    who = caller()
    core.fake.plan(Script(said("It keeps keys and values.")))
    made, hit = core.ask(who=who, **explained(ASKED)), core.ask(who=who, **explained(REWORDED))
    assert hit.cache["verdict"] == "semantic", hit.cache
    assert 0.95 <= hit.cache["score"] < 1
    assert hit.text == made.text == "It keeps keys and values."
    assert core.row(hit.call)["cache"] == "semantic"
    core.assert_settled(made.call, hit.call)


def test_similarity_can_be_turned_on_and_off_by_the_request(core: Assembled) -> None:
    who = caller()
    core.ask(ASKED, who=who, semantic=True)
    assert core.ask(REWORDED, who=who, semantic=True).cache["verdict"] == "semantic"
    assert core.ask(REWORDED, who=who).cache["verdict"] == "miss"
    core.ask(who=who, **explained(ASKED))
    off = core.ask(who=who, semantic=False, **explained(REWORDED))
    assert off.cache["reason"] == "no equal request, and similarity is off for this kind of request"


@pytest.mark.parametrize(
    ("kept", "asked", "reason"),
    [
        (
            "How do I store 500 gigabytes of log files?",
            "How do I store 50 gigabytes of log files?",
            "they differ in numbers",
        ),
        ("Is it safe to switch the cache off?", "Is it not safe to switch the cache off?", "they differ in negation"),
        ("What is a token?", "How do I bake bread?", "the nearest question is not similar"),
    ],
)
def test_a_question_that_differs_is_a_miss_that_says_why(core: Assembled, kept: str, asked: str, reason: str) -> None:
    who = caller()
    core.ask(who=who, **explained(kept))
    missed = core.ask(who=who, **explained(asked))
    assert missed.cache["verdict"] == "miss"
    assert reason in missed.cache["reason"], missed.cache
    assert isinstance(missed.cache["score"], float)


def test_a_question_that_the_embedder_cannot_read_whole_is_never_compared(core: Assembled) -> None:
    who, long = caller(), "why " * 400
    core.ask(who=who, **explained(long + "one"))
    missed = core.ask(who=who, **explained(long + "two"))
    assert missed.cache["reason"] == "the embedder cannot read the question whole"
    assert core.ask(who=who, **explained(long + "two")).cache["verdict"] == "exact"


def test_an_answer_never_crosses_tenants(core: Assembled) -> None:
    core.ask(**explained(ASKED))
    for question in (ASKED, REWORDED):
        assert core.ask(**explained(question)).cache["reason"] == "no earlier question of this kind"


@pytest.mark.parametrize(
    "changes",
    [
        {"fields": {"temperature": 0.1}},
        {"fields": {"max_tokens": 31}},
        {"model": "other"},
        {"on_length": "error"},
        {"prompt": explained(ASKED, "children")["prompt"]},
        {"messages": ({"role": "user", "content": "Be brief."},)},
    ],
)
def test_a_changed_part_is_another_kind_of_request(core: Assembled, changes: dict[str, Any]) -> None:
    who = caller()
    core.ask(who=who, **explained(ASKED))
    changed = core.ask(who=who, **(explained(ASKED) | {"cache": "use"} | changes))
    assert changed.cache["verdict"] == "miss"
    assert changed.cache["reason"] in (
        "no earlier question of this kind",
        "no equal request, and similarity is off for this kind of request",
    )


def test_a_changed_retrieval_is_another_kind_of_request(core: Assembled) -> None:
    who, asked = caller(), template("answer", question=ASKED)
    core.ask(who=who, **asked)
    assert core.ask(who=who, **asked).cache["verdict"] == "exact"
    assert core.ask(who=who, retrieve=Retrieval("docs", 1), **asked).cache["verdict"] == "miss"


def test_skip_neither_looks_nor_keeps(core: Assembled) -> None:
    who = caller()
    core.ask(who=who)
    assert core.ask(who=who, cache="skip").cache == {"verdict": "miss", "reason": "the request says skip"}
    other = caller()
    core.ask(who=other, cache="skip")
    assert core.ask(who=other).cache["verdict"] == "miss"


def test_refresh_asks_anew_and_replaces(core: Assembled) -> None:
    who = caller()
    core.fake.plan(Script(said("old")), Script(said("new")))
    core.ask(who=who, **explained(ASKED))
    fresh = core.ask(who=who, cache="refresh", **explained(ASKED))
    assert (fresh.text, fresh.cache["reason"]) == ("new", "the request says refresh")
    assert core.ask(who=who, **explained(ASKED)).text == "new"
    assert core.ask(who=who, **explained(REWORDED)).text == "new"


def test_only_gives_a_cached_answer_or_none(core: Assembled) -> None:
    who = caller()
    sent = len(core.chats())
    refused = core.ask(who=who, cache="only")
    assert isinstance(refused.error, CacheOnly)
    assert "no equal request" in str(refused.error)
    assert len(core.chats()) == sent
    made = core.ask(who=who)
    hit = core.ask(who=who, cache="only")
    assert hit.cache["verdict"] == "exact"
    core.assert_settled(refused.call, made.call, hit.call)


def test_a_cache_that_is_away_costs_the_hit_and_not_the_answer(
    core: Assembled, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StateUnavailable("gone")

    who = caller()
    monkeypatch.setattr(core.runtime.state.answers, "put", away)
    assert core.ask(ASKED, who=who, cache="use").error is None
    monkeypatch.setattr(core.runtime.state.answers, "get", away)
    answer = core.ask(ASKED, who=who, cache="use")
    assert answer.cache == {"verdict": "miss", "reason": "the cache cannot be read just now"}


def test_an_answer_expires(make: Make, prompts: Any) -> None:
    """While its partition is in memory the nearest question is found, but its answer is gone, and then forgotten."""
    who, tomorrow = caller(), time.time() + 2 * 86400
    gateway = make(build={"prompts": prompts})
    gateway.ask(who=who, **explained(ASKED))
    for question, reason in ((ASKED, "the nearest question's answer has expired"), (REWORDED, "no earlier question")):
        gone = gateway.ask(who=who, at=tomorrow, cache="only", **explained(question))
        assert reason in str(gone.error)


def test_another_process_finds_what_this_one_kept(make: Make, prompts: Any) -> None:
    """Both tiers: a second gateway on the same state."""
    who, build = caller(), {"build": {"prompts": prompts}}
    make(**build).ask(who=who, **explained(ASKED))
    second = make(**build)
    assert second.ask(who=who, **explained(REWORDED)).cache["verdict"] == "semantic"
    assert second.ask(who=who, **explained(ASKED)).cache["verdict"] == "exact"


def test_forgotten_partitions_are_read_again(make: Make, prompts: Any) -> None:
    gateway = make(build={"prompts": prompts}, cache={"max_partitions": 1, "sample": 0})
    one, two = caller(), caller()
    for who in (one, two):
        gateway.ask(who=who, **explained(ASKED))
    for who in (one, two, one):
        assert gateway.ask(who=who, **explained(REWORDED)).cache["verdict"] == "semantic"
    assert len(gateway.runtime.pipeline.cache._neighbours._views) == 1
