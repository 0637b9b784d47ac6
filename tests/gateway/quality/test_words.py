"""What is said of an answer: by its cause, its checks, its guards, and how it failed."""

from typing import Any, get_args

import pytest

from gateway.exchange import Looked, Verdict
from gateway.quality.words import Word, words
from gateway.stopping import Cause, Remedy

WORDS = frozenset(get_args(Word))


def said(
    verdict: Verdict | None = None,
    status: int = 200,
    code: str | None = None,
    looked: tuple[Looked, ...] = (),
    asked: bool = True,
) -> tuple[Word, ...] | None:
    return words(verdict, status, code, looked, asked)


def verdict(cause: Cause = "stop", **known: Any) -> Verdict:
    return Verdict("complete", "stop", cause=cause, **known)


def test_nothing_found_is_not_the_same_as_nothing_judged() -> None:
    assert said(verdict()) == ()
    assert said(None) is None


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("tool_calls", ("called",)),
        ("ceiling", ("truncated",)),
        ("window", ("truncated",)),
        ("tool_cut", ("called", "tool_failed", "truncated")),
        ("reasoning", ("empty", "truncated")),
        ("empty", ("empty",)),
        ("repetition", ("repeated",)),
        ("content_filter", ("blocked",)),
        ("abort", ("error",)),
        ("error", ("error",)),
        ("invalid", ("invalid",)),
    ],
)
def test_a_cause_has_its_words_whether_the_answer_was_given_or_refused(cause: Cause, expected: tuple[str, ...]) -> None:
    assert said(verdict(cause)) == expected
    if set(expected) & {"truncated", "invalid", "repeated"}:
        code = "output_truncated" if "truncated" in expected else "output_invalid"
        assert said(verdict(cause), 502, code) == expected


def test_every_cause_but_a_whole_answer_has_a_word() -> None:
    assert {cause for cause in get_args(Cause) if said(verdict(cause)) == ()} == {"stop"}
    assert all(WORDS.issuperset(said(verdict(cause)) or ()) for cause in get_args(Cause))


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("output_truncated", 502, ("truncated",)),
        ("output_invalid", 502, ("invalid",)),
        ("content_filter", 400, ("blocked",)),
        ("backend_unavailable", 502, ("error",)),
        ("backend_timeout", 504, ("error",)),
        ("internal_error", 500, ("error",)),
        ("invalid_value", 400, ("error",)),  # the engine refused what the template made
        ("overloaded", 503, None),
        ("client_left", 499, None),
    ],
)
def test_without_a_verdict_the_failure_says_what_it_was(code: str, status: int, expected: Any) -> None:
    assert said(None, status, code) == expected


def test_a_request_refused_before_a_model_was_asked_says_nothing_but_that_a_guard_did() -> None:
    assert said(None, 429, "budget_exceeded", asked=False) is None
    assert said(None, 400, "invalid_value", asked=False) is None
    assert said(None, 400, "content_filter", asked=False) == ("blocked",)


def test_a_guard_that_refuses_a_good_answer_blocks_it() -> None:
    assert said(verdict(), 400, "content_filter") == ("blocked",)
    assert said(verdict("ceiling"), 400, "content_filter") == ("blocked", "truncated")


def test_remedies_and_repairs_are_told_beside_how_it_ended() -> None:
    remedies: tuple[Remedy, ...] = ("retry", "continue", "shorten", "repair", "fallback", "return")
    found = said(verdict("ceiling", remedies=remedies))
    assert found == ("continued", "fell_back", "repaired", "retried", "shortened", "truncated")
    assert said(verdict(schema="repaired")) == ("repaired",)
    assert said(verdict(schema="valid", remedies=("repair",))) == ("repaired",)
    assert said(verdict(schema="invalid", remedies=("flag",))) == ("flagged", "invalid")


def test_flags_are_counted_and_those_of_tools_by_name() -> None:
    assert said(verdict(flags=("unsupported",))) == ("flagged",)
    assert said(verdict("tool_calls", flags=("tool_arguments",))) == ("called", "flagged", "tool_failed")


def test_what_guards_ruled_is_told() -> None:
    def looked(ruling: Any) -> tuple[Looked, ...]:
        return (Looked("pii", "output", "pass"), Looked("secrets", "output", ruling))

    assert said(verdict(), looked=looked("redact")) == ()
    assert said(verdict(), looked=looked("flag")) == ("flagged",)
    assert said(verdict(), 400, "content_filter", looked=looked("block"), asked=False) == ("blocked",)
