"""expecting: what an answer meets, and in words what it does not; judges by what they say."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from gateway.workbench.asking import Question, Said, Unanswered
from gateway.workbench.cases import Expectation
from gateway.workbench.expecting import Expecting, Outcome
from retrieval.embed import Embedder
from serving.events import Usage

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


class Judge:
    """Answers with one text, and remembers what it was asked."""

    def __init__(self, text: str) -> None:
        self._text, self.asked = text, list[Question]()

    async def ask(self, question: Question) -> Said:
        self.asked.append(question)
        return said(self._text)


def said(text: str, *calls: dict[str, Any]) -> Said:
    return Said(text, "stop", Usage(), None, 0.0, tuple({"function": call} for call in calls))


@pytest.fixture(scope="module")
def embedder() -> Iterator[Embedder]:
    with closing(Embedder()) as made:
        yield made


def outcome(embedder: Embedder, expected: dict[str, Any], answer: Said, judge: str = "") -> Outcome:
    expecting = Expecting(embedder, Judge(judge), "small", SCHEMA)
    return asyncio.run(expecting(Expectation.model_validate(expected), answer, {"question": "Why?"}))


@pytest.mark.parametrize(
    ("expected", "good", "bad", "why"),
    [
        ({"exact": "yes "}, " yes\n", "yes.", "it is another text"),
        ({"contains": "b"}, "abc", "ac", "'b' is not in it"),
        ({"excludes": "b"}, "ac", "abc", "'b' is in it"),
        ({"matches": "^a+$"}, "aaa", "aab", "matches nothing in it"),
        ({"schema": True}, '{"n": 1}', '{"n": "1"}', "integer"),
        ({"schema": True}, '{"n": 1}', '```json\n{"n": 1}\n```', "other text around it"),
        ({"schema": {"type": "array"}}, "[]", "{}", "array"),
        ({"schema": {"type": "no"}}, None, "{}", "JSON Schema"),
        ({"similar": {"to": "Seven days."}}, "seven days", "Blue ships.", "is below 0.8"),
    ],
)
def test_each_kind(embedder: Embedder, expected: dict[str, Any], good: str | None, bad: str, why: str) -> None:
    if good is not None:
        met = outcome(embedder, expected, said(good))
        assert (met.met, met.why) == (True, "")
    missed = outcome(embedder, expected, said(bad))
    assert not missed.met
    assert why in missed.why


def test_calls_are_held_against_a_schema_of_their_arguments(embedder: Embedder) -> None:
    expected = {"calls": {"name": "search", "arguments": {"required": ["text"]}}}
    good, bad = ({"name": "search", "arguments": json.dumps(made)} for made in ({"text": "a"}, {}))
    assert outcome(embedder, expected, said("", bad, good)).met
    assert "text" in outcome(embedder, expected, said("", bad)).why
    assert "calls other, not 'search'" in outcome(embedder, expected, said("", {"name": "other"})).why
    assert "calls nothing" in outcome(embedder, expected, said("search")).why


def test_a_judge_says_yes_or_no_and_why(embedder: Embedder) -> None:
    expected = {"judge": "Is it short?"}
    assert outcome(embedder, expected, said("a"), '{"reason": "one letter", "verdict": "yes"}').met
    no = outcome(embedder, expected, said("a"), '{"reason": "it rambles", "verdict": "no"}')
    assert (no.met, no.why) == (False, "the judge says no: it rambles")


def test_a_judge_is_asked_for_a_reason_first_and_sees_input_and_answer(embedder: Embedder) -> None:
    judge = Judge('{"reason": "", "verdict": "yes"}')
    expecting = Expecting(embedder, judge, "small", None)
    asyncio.run(expecting(Expectation.model_validate({"judge": "Is it?"}), said("ANSWER"), {"question": "Why?"}))
    (asked,) = judge.asked
    schema = asked.fields["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["reason", "verdict"]
    assert all(part in asked.messages[0]["content"] for part in ("ANSWER", "Why?", "Is it?"))


@pytest.mark.parametrize("text", ["", "yes", "[]", "{}", '{"reason": "", "verdict": "maybe"}', '{"verdict": "yes"'])
def test_a_judge_that_gives_no_judgement_is_an_error(embedder: Embedder, text: str) -> None:
    with pytest.raises(Unanswered, match="neither yes nor no"):
        outcome(embedder, {"judge": "Is it?"}, said("a"), text)
