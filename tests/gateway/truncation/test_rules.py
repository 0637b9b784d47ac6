"""rules: the request's word for what it brings, the template's for its own; nothing where nobody says anything."""

from typing import Any

import pytest

from gateway.exchange import Parts
from gateway.exchange.call import Truncate
from gateway.truncation import Rules, rules
from prompts.template import Template, parse

SOURCE = """---
description: d
variables:
{variables}
sections: {sections}
---
{{% message role="user" %}}{{{{ text }}}}{{% endmessage %}}
"""


def made(sections: str = "{}", variables: str = "  text: {type: string}") -> Template:
    return parse("t", "t.md.j2", SOURCE.format(sections=sections, variables=variables).encode())


def test_nothing_is_cut_where_nobody_says_anything() -> None:
    assert not rules(None, None).any
    assert not rules("never", None).any
    assert not rules(None, made()).any


@pytest.mark.parametrize(
    ("asked", "sections", "history", "examples", "user"),
    [
        ("oldest", "{}", "oldest", "lowest", False),
        ("middle", "{}", "middle", "lowest", True),
        (None, "{history: {}}", "oldest", None, False),
        (None, "{history: {drop: middle}, examples: {}}", "middle", "lowest", False),
        (None, "{history: {drop: never}, user: {drop: middle}}", None, None, True),
        ("oldest", "{history: {drop: middle}, user: {drop: middle}}", "oldest", "lowest", False),
        ("middle", "{user: {drop: never}, examples: {drop: never}}", "middle", None, False),
        ("never", "{history: {drop: oldest}, user: {drop: middle}, examples: {drop: last}}", None, "last", False),
    ],
)
def test_the_request_comes_before_its_template(
    asked: Truncate | None, sections: str, history: str | None, examples: str | None, user: bool
) -> None:
    found = rules(asked, made(sections))
    assert (found.history, found.examples, found.user) == (history, examples, user)


def test_budgets_hold_whatever_is_asked() -> None:
    template = made("{history: {max_tokens: 9}, passages: {max_tokens: 8}, user: {}}")
    for asked in (None, "never", "oldest"):
        assert rules(asked, template).caps == {"history": 9}


@pytest.mark.parametrize(
    ("schema", "shortened"),
    [
        ("{type: string, maxLength: 90, minLength: 1, description: d}", True),
        ("{type: string, minLength: 8}", False),
        ("{type: string, enum: [a]}", False),
        ("{type: string, pattern: a}", False),
        ("{type: integer}", False),
        ("{type: [string, 'null']}", False),
    ],
)
def test_variables_are_shortened_that_still_satisfy_their_schema(schema: str, shortened: bool) -> None:
    found = rules("middle", made(variables=f"  text: {schema}"))
    assert found.variables == (("text",) if shortened else ())


def test_sections_go_in_their_order() -> None:
    allowed, whole = Rules("middle", "lowest", True), Parts(({"role": "user", "content": "a"},), {}, (0,))

    def names(of: Any) -> list[str]:
        return [section.name for section in of]

    assert (names(allowed.sections(whole)), names(allowed.last(whole))) == (["history", "examples"], ["user"])
    raw = Parts(text="a")
    assert (names(allowed.sections(raw)), names(allowed.last(raw))) == (["text"], [])
    assert names(Rules().sections(whole)) == []
