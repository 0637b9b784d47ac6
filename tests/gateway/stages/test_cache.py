"""Which answers stand for which requests: hits of both tiers, every kind of miss and its reason, what is never kept."""

import time
from typing import Any

import pytest

from gateway.errors import CacheOnly, OutputInvalid, OutputTruncated
from gateway.exchange import Retrieval
from gateway.state import StateUnavailable
from serving.errors import BackendBroken
from serving.events import Delta, Deltas
from tests.fakes.backend import HANG, RST, Script, first, last, piece, said, words
from tests.gateway.assembled import Assembled
from tests.gateway.calls import call, caller, template
from tests.gateway.conftest import Make

DONE = b"data: [DONE]\n\n"
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


def test_what_asks_for_variety_is_kept_only_on_request(core: Assembled) -> None:
    who, warm = caller(), {"temperature": 0.8}
    off = core.ask(who=who, fields=warm)
    assert off.cache["reason"] == "caching is off for this kind of request"
    assert core.ask(who=who, fields=warm, cache="use").cache["verdict"] == "miss"
    assert core.ask(who=who, fields=warm, cache="use").cache["verdict"] == "exact"


SCHEMA = {"type": "object", "required": ["a"]}
STRUCTURED = {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}}


@pytest.mark.parametrize(
    ("script", "changes", "error"),
    [
        (Script(said("half", finish="length")), {}, None),
        (Script(said("half", finish="length")), {"on_length": "error"}, OutputTruncated),
        (Script((*words("half"), RST)), {}, BackendBroken),
        (Script(said('{"b": 1}')), {"fields": STRUCTURED}, OutputInvalid),
        (Script(said("The passages do not say so [9].")), {"retrieve": Retrieval("docs")}, None),
    ],
)
def test_only_complete_and_checked_answers_are_kept(
    core: Assembled, script: Script, changes: dict[str, Any], error: type[Exception] | None
) -> None:
    """Cut, refused, broken, invalid, or citing a passage that was not there."""
    who = caller()
    core.fake.plan(script)
    outcome = core.ask(ASKED, who=who, **changes)
    assert type(outcome.error) is (error or type(None))
    kept = core.ask(ASKED, who=who, cache="only", **changes)
    assert isinstance(kept.error, CacheOnly)


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


def test_a_client_that_leaves_early_leaves_nothing_in_the_cache(core: Assembled) -> None:
    who = caller()
    core.fake.plan(Script((*words("Half"), HANG)))
    core.do(core.leaving(call(ASKED, who=who), 2))
    assert isinstance(core.ask(ASKED, who=who, cache="only").error, CacheOnly)


def test_an_answer_expires(make: Make, prompts: Any) -> None:
    """While its partition is in memory the nearest question is found, but its answer is gone, and then forgotten."""
    who, tomorrow = caller(), time.time() + 2 * 86400
    gateway = make(build={"prompts": prompts})
    gateway.ask(who=who, **explained(ASKED))
    for question, reason in ((ASKED, "the nearest question's answer has expired"), (REWORDED, "no earlier question")):
        gone = gateway.ask(who=who, at=tomorrow, cache="only", **explained(question))
        assert reason in str(gone.error)


def test_a_kept_verdict_is_replayed_with_its_citations(core: Assembled) -> None:
    who, asked = caller(), template("answer", question="What does the KV cache do?")
    core.fake.plan(Script(said("It keeps keys and values [1].")))
    made, hit = core.ask(who=who, **asked), core.ask(who=who, **asked)
    assert hit.cache["verdict"] == "exact"
    assert hit.closed.gateway["citations"] == made.closed.gateway["citations"]
    assert hit.closed.gateway["citations"][0]["number"] == 1


def test_tool_calls_are_replayed_as_they_were_streamed(core: Assembled) -> None:
    who = caller()
    tool = {"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    chunks = (first(), piece({"tool_calls": [tool]}, 1, "tool_calls"), last(1), DONE)
    core.fake.plan(Script(chunks))
    fields = {"tools": [{"type": "function", "function": {"name": "f"}}]}
    made = core.ask(who=who, fields=fields, cache="use")
    hit = core.ask(who=who, fields=fields, cache="use")
    assert hit.cache["verdict"] == "exact"
    assert hit.closed.completion.choices == made.closed.completion.choices
    assert hit.answers[1:-1] == [Deltas((Delta(0, {"tool_calls": [tool]}),))]


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
