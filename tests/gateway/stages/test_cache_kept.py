"""Which answers are kept, which never, and that a kept one comes back whole."""

from typing import Any

import pytest

from gateway.errors import CacheOnly, OutputInvalid, OutputTruncated
from gateway.exchange import Retrieval
from serving.errors import BackendBroken
from serving.events import Delta, Deltas
from tests.fakes.backend import HANG, RST, Script, first, last, piece, said, words
from tests.gateway.assembled import Assembled
from tests.gateway.calls import call, caller, template

ASKED = "What is the use of a key-value cache?"
DONE = b"data: [DONE]\n\n"


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


@pytest.mark.parametrize("refusal", ["I'm sorry, but I can't help with that.", "As an AI, I have no opinion."])
def test_refusals_are_not_kept(core: Assembled, refusal: str) -> None:
    who = caller()
    core.fake.plan(Script(said(refusal)), Script(said("Here you are.")))
    assert core.ask(ASKED, who=who).text == refusal
    assert core.ask(ASKED, who=who).text == "Here you are."


def test_a_client_that_leaves_early_leaves_nothing_in_the_cache(core: Assembled) -> None:
    who = caller()
    core.fake.plan(Script((*words("Half"), HANG)))
    core.do(core.leaving(call(ASKED, who=who), 2))
    assert isinstance(core.ask(ASKED, who=who, cache="only").error, CacheOnly)


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
