"""Guards in a whole gateway: what is refused, what is taken out, what is told, from the request to the journal."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ContentFilter, Unready
from gateway.exchange import Call, Retrieval
from tests.fakes.backend import Script, said
from tests.fakes.background import running
from tests.fakes.ports import free_port
from tests.fakes.said import called
from tests.gateway.assembled import Assembled, Outcome, assembled
from tests.gateway.calls import call, caller, template
from tests.gateway.conftest import Make

# Each acts for tenants of its own, so that one gateway serves all tests.
GUARDS = {
    "blocks": {"kind": "words", "words": ["forbidden"], "tenants": ["blocked"]},
    "redacts": {"kind": "words", "words": ["secret"], "action": "redact", "tenants": ["redacted", "both"]},
    "flags": {"kind": "words", "words": ["odd", "secret"], "action": "flag", "tenants": ["flagged", "both"]},
    "away": {"kind": "webhook", "url": f"http://127.0.0.1:{free_port()}", "tenants": ["closed"]},
    "open": {"kind": "webhook", "url": f"http://127.0.0.1:{free_port()}", "tenants": ["open"], "fail": "open"},
    "passages": {"kind": "words", "words": ["prefix"], "tenants": ["picky"], "on": ["passages"]},
    "hides": {
        "kind": "words", "words": ["prefix"], "tenants": ["hiding"], "on": ["passages"], "action": "redact"
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def guarded(docs: Path, prompts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembled]:
    sections: dict[str, Any] = {"retrieve": {"docs": {"path": docs}}, "build": {"prompts": prompts}, "guard": GUARDS}
    with running(assembled(tmp_path_factory.mktemp("guarded"), **sections)) as gateway:
        yield gateway


def ask(core: Assembled, tenant: str, text: str = "Hi", **changes: Any) -> Outcome:
    return core.ask(text, who=caller(tenant), **changes)


def sent(core: Assembled) -> str:
    """The last chat that reached the engine."""
    return json.dumps(core.chats()[-1].body["messages"])


def guards(outcome: Outcome) -> list[dict[str, Any]]:
    return list(outcome.closed.gateway["checks"]["guards"])


def test_what_is_blocked_comes_to_no_model(guarded: Assembled) -> None:
    before = len(guarded.chats())
    outcome = ask(guarded, "blocked", "a Forbidden thing")
    assert isinstance(outcome.error, ContentFilter)
    assert (outcome.error.status, outcome.error.code, outcome.error.param) == (
        400,
        "content_filter",
        "messages.0.content",
    )
    assert outcome.error.message.startswith("The guard 'blocks' blocks this request: it holds WORD (1);")
    assert len(guarded.chats()) == before
    row = guarded.row(outcome.call)
    assert (row["status"], row["error"], row["input_tokens"]) == (400, "content_filter", 0)
    (stage,) = (one for one in row["detail"]["stages"] if one["stage"] == "guard")
    assert stage["facts"]["guards"][0] | {"ms": 0} == {
        "guard": "blocks", "on": "input", "verdict": "block", "found": {"WORD": 1}, "ms": 0
    }  # fmt: skip
    assert "orbidden" not in json.dumps(row)


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": ({"role": "system", "content": "the secret"}, {"role": "user", "content": "Hi"})},
        {"messages": ({"role": "user", "content": [{"type": "text", "text": "the secret"}]},)},
        template("classify-ticket", ticket="the secret"),
    ],
)
def test_what_is_redacted_never_leaves(guarded: Assembled, changes: dict[str, Any]) -> None:
    guarded.fake.plan(Script(said('{"category":"other","severity":"low","summary":"x"}')))
    outcome = ask(guarded, "redacted", **({"text": None} | changes))
    assert "the [WORD]" in sent(guarded)
    assert "secret" not in sent(guarded)
    assert "secret" not in json.dumps(guarded.row(outcome.call))


def test_what_a_model_says_is_redacted_as_it_comes(guarded: Assembled) -> None:
    guarded.fake.plan(Script(said(*"My secret is out. ")))
    outcome = ask(guarded, "redacted", "What?")
    assert outcome.text == outcome.streamed == "My [WORD] is out. "
    assert outcome.closed.usage.output_tokens == len("My secret is out. ")
    assert guards(outcome) == [
        {"guard": "redacts", "on": "input", "verdict": "pass", "found": {}},
        {"guard": "redacts", "on": "output", "verdict": "redact", "found": {"WORD": 1}},
    ]
    guarded.row(outcome.call)


def test_what_a_model_says_is_blocked_in_mid_stream_and_billed(guarded: Assembled) -> None:
    guarded.fake.plan(Script(said(*"So far so good, but forbidden! And more.")))
    outcome = ask(guarded, "blocked", "What?", stream=True)
    assert isinstance(outcome.error, ContentFilter)
    assert "orbidden" not in outcome.streamed
    row = guarded.row(outcome.call)
    assert (row["status"], row["error"]) == (400, "content_filter")
    assert row["input_tokens"] > 0
    assert row["output_tokens"] > 0
    assert "orbidden" not in json.dumps(row)


def test_what_is_blocked_is_billed_though_all_of_it_came_at_once(guarded: Assembled) -> None:
    guarded.fake.plan(Script((b"".join(said("So far", " so good, but", " forbidden! And more. ")),)))
    outcome = ask(guarded, "blocked", "What?")
    assert isinstance(outcome.error, ContentFilter)
    assert guarded.row(outcome.call)["output_tokens"] == 3


def test_tool_calls_are_redacted_and_stay_json(guarded: Assembled) -> None:
    guarded.fake.plan(Script(called("send", '{"to": "the \\u0073ecret one"}')))
    tools = {"tools": [{"type": "function", "function": {"name": "send", "parameters": {"type": "object"}}}]}
    outcome = ask(guarded, "redacted", fields=tools)
    (tool,) = outcome.closed.completion.choices[0].message["tool_calls"]
    assert json.loads(tool["function"]["arguments"]) == {"to": "the [WORD] one"}


def test_structured_answers_are_redacted_behind_their_escapes(guarded: Assembled) -> None:
    guarded.fake.plan(Script(said('{"a": "\\u0073e', 'cret"}')))
    outcome = ask(guarded, "redacted", fields={"response_format": {"type": "json_object"}})
    assert json.loads(outcome.text) == {"a": "[WORD]"}


def test_what_is_flagged_goes_through_and_is_told(guarded: Assembled) -> None:
    guarded.fake.plan(Script(said("odd", " indeed")))
    outcome = ask(guarded, "flagged", "an odd one, an odd one")
    assert outcome.text == "odd indeed"
    assert [(one["on"], one["verdict"], one["found"]) for one in guards(outcome)] == [
        ("input", "flag", {"WORD": 2}),
        ("output", "flag", {"WORD": 1}),
    ]


def test_all_guards_of_a_tenant_look_in_the_files_order(guarded: Assembled) -> None:
    outcome = ask(guarded, "both", "a secret")
    assert [(one["guard"], one["on"], one["verdict"]) for one in guards(outcome)] == [
        ("redacts", "input", "redact"),
        ("flags", "input", "flag"),
        ("redacts", "output", "pass"),
        ("flags", "output", "pass"),
    ]


def test_tenants_without_guards_have_none(guarded: Assembled) -> None:
    outcome = ask(guarded, "free", "the forbidden secret")
    assert "forbidden secret" in sent(guarded)
    assert guards(outcome) == []
    assert "guard" not in guarded.stages(outcome.call)


def test_a_guard_without_an_answer_refuses_with_503_or_is_passed_over_and_told(guarded: Assembled) -> None:
    refused = ask(guarded, "closed")
    assert isinstance(refused.error, Unready)
    assert (refused.error.status, refused.error.code, refused.error.retry) == (503, "guard_unavailable", True)
    assert guarded.row(refused.call)["error"] == "guard_unavailable"
    passed = ask(guarded, "open")
    assert passed.text == "Hello world"
    assert [(one["on"], one["verdict"], "failed" in one) for one in guards(passed)] == [
        ("input", "pass", True),
        ("output", "pass", True),
    ]


def test_a_kept_answer_goes_through_the_guards_too(make: Make, tmp_path: Path) -> None:
    """It was kept before there was one: the same state, another configuration."""
    who, plain = caller("acme"), make()
    plain.fake.plan(Script(said("a secret")))
    assert plain.ask("What?", who=who).text == "a secret"
    guard = {"kind": "words", "words": ["secret"], "action": "redact"}
    strict = make(guard={"w": guard})
    strict.fake.plan(Script(said("another secret")))
    first = strict.ask("What?", who=who)
    assert (first.text, first.cache["verdict"]) == ("another [WORD]", "miss")  # other guards, another answer
    again = strict.ask("What?", who=who)
    assert (again.text, again.cache["verdict"]) == ("another [WORD]", "exact")
    assert guards(again)[1] == {"guard": "w", "on": "output", "verdict": "pass", "found": {}}


def test_passages_are_left_out_or_redacted_and_citations_still_hold(guarded: Assembled) -> None:
    question = "How does the prefix cache help?"
    retrieve = {"retrieve": Retrieval("docs", 6)}
    guarded.fake.plan(*(Script(said("So it is [1].")) for _ in range(3)))
    free = ask(guarded, "free", question, **retrieve)
    assert "prefix" in _passages(sent(guarded))
    picky = ask(guarded, "picky", question, **retrieve)
    left = _passages(sent(guarded))
    assert "prefix" not in left.lower()
    count = picky.closed.gateway["retrieve"]["passages"]
    assert 0 < count < free.closed.gateway["retrieve"]["passages"]
    assert f"[{count}]" in left
    assert f"[{count + 1}]" not in left
    hiding = ask(guarded, "hiding", question, **retrieve)
    assert "prefix" not in _passages(sent(guarded)).lower()
    assert "[WORD]" in _passages(sent(guarded))
    assert hiding.closed.gateway["retrieve"]["passages"] == free.closed.gateway["retrieve"]["passages"]
    assert [(one["on"], one["verdict"]) for one in guards(hiding)] == [("passages", "redact")]
    assert hiding.closed.gateway["citations"]


def _passages(prompt: str) -> str:
    """What of a prompt is passages: its question names the word too."""
    messages = json.loads(prompt)
    return "\n".join(message["content"] for message in messages if message["role"] == "system")


def test_what_is_embedded_is_looked_at(guarded: Assembled) -> None:
    async def embedded(asked: Call) -> None:
        await guarded.runtime.embedding.run(asked)

    asked = replace(call(None, who=caller("blocked"), model="all-MiniLM-L6-v2"), inputs=("fine", "forbidden"))
    with pytest.raises(ContentFilter) as caught:
        guarded.do(embedded(asked))
    assert caught.value.param == "input.1"
    assert guarded.row(asked)["error"] == "content_filter"
