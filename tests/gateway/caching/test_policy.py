"""What may be kept and compared, by words and by fields."""

from typing import Any

import pytest

from gateway.caching.policy import keepable, uncached, uncompared
from gateway.exchange import Format, Prompt, Verdict
from serving.events import Choice, Completion, Start
from tests.gateway.calls import call

WHOLE = Verdict("complete", "stop")


def prompt(question: str | None = "Why?", **changes: Any) -> Prompt:
    values: dict[str, Any] = {
        "model": "small", "messages": (), "fields": {}, "template": None, "question": question, "format": Format(),
        "retrieve": None, "on_stop": {}, "mode": "verdict", "cache": "semantic",
    }  # fmt: skip
    return Prompt(**values | changes)


def said(text: str | None, **message: Any) -> Completion:
    return Completion(Start("id", 1, "small"), (Choice(0, {"content": text, **message}, "stop"),), None)


@pytest.mark.parametrize(
    ("mode", "tier", "why"),
    [
        ("auto", "exact", None), ("auto", "off", "caching is off"), ("use", "off", None), ("refresh", "off", None),
        ("only", "off", None), ("skip", "semantic", "the request says skip"),
    ],
)  # fmt: skip
def test_the_request_asks_and_the_template_answers_for_it(mode: Any, tier: Any, why: str | None) -> None:
    found = uncached(call(cache=mode), prompt(cache=tier))
    assert bool(found) == bool(why)
    assert (found or "").startswith(why or "")


@pytest.mark.parametrize(
    "question",
    [
        "What is the weather today?", "Who is the current president?", "What's the LATEST version?",
        "What happened last week?", "How many days ago was that?", "What time is it in Rome?", "Is it open now?",
    ],
)  # fmt: skip
def test_an_answer_that_ages_is_not_compared(question: str) -> None:
    assert "depends on the time" in (uncompared(call(), prompt(question)) or "")


@pytest.mark.parametrize(
    "question", ["What is a currency?", "Who knows snow?", "Is this weekly?", "What is the timeline of Rome?"]
)
def test_words_that_only_look_so_are_compared(question: str) -> None:
    assert uncompared(call(), prompt(question)) is None


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.", "I’m really sorry, I cannot do this.", "I cannot assist with that.",
        "I apologize, but no.", "As an AI, I have no body.", "I am unable to answer.", "Sorry, no.",
    ],
)  # fmt: skip
def test_a_refusal_is_not_kept(text: str) -> None:
    assert not keepable(said(text), WHOLE)
    assert not keepable(said(None, refusal="No."), WHOLE)


@pytest.mark.parametrize("text", ["Sorry is a word of apology.", "I cannot be divided by two, says 7.", "", None])
def test_what_only_begins_like_one_is_kept(text: str | None) -> None:
    assert keepable(said(text), WHOLE)


def test_only_whole_answers_that_cite_what_was_there_are_kept() -> None:
    assert not keepable(said("So."), Verdict("truncated", "length"))
    assert not keepable(said("So [9]."), Verdict("complete", "stop", unknown_citations=(9,)))
