"""Where an answer belongs, and what it can be purged by."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.caching.slots import flight_name, known_tag, tags
from gateway.exchange import Mode, Search, Slot, Snapshot
from gateway.settings import Retrieve
from gateway.state import Scopes
from prompts.template import parse
from retrieval.query import Scope
from tests.gateway.caching.test_policy import prompt
from tests.gateway.calls import call, caller
from tests.gateway.indexes import Identified, Named

SOURCE = '---\ndescription: d\nvariables: {}\n---\n{% message role="user" %}Hi{% endmessage %}\n'


def test_an_answer_can_be_purged_by_all_that_made_it() -> None:
    searched = Search(Snapshot("docs", Named("v1"), Retrieve(path=Path("docs")), Identified()), 4, 0.0, Scope(), 9)
    made = prompt(template=parse("t", "t.md.j2", SOURCE.encode()), retrieve=searched)
    asked = call(who=caller("acme"), tags={"feature": "search"})
    found = tags(asked, made)
    assert made.template
    assert set(found) == {
        "tenant:acme", "model:small", f"request:{asked.request_id}", "prompt:t", f"prompt:t@{made.template.version}",
        "collection:docs", "tag:feature=search",
    }  # fmt: skip
    assert all(known_tag(tag) == tag for tag in found)


@pytest.mark.parametrize("tag", ["acme", "tenants:acme", "tenant:", "", ":"])
def test_a_tag_that_no_answer_can_have_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="tenant:"):
        known_tag(tag)


def test_who_may_use_other_models_reads_another_flight() -> None:
    slot = Slot("key", "partition", "pool", None, (), "", 1.0)
    scopes: list[Any] = [None, ("a",), ("a", "b"), ("b", "a")]
    one = prompt()
    names = [flight_name(call(who=replace(caller(), scopes=Scopes(models=models))), one, slot) for models in scopes]
    assert names[2] == names[3]
    assert len(set(names)) == 3


def test_an_answer_that_may_be_taken_back_is_not_read_along_with_one_that_is_shown_as_it_comes() -> None:
    slot = Slot("key", "partition", "pool", None, (), "", 1.0)
    modes: list[Mode] = ["verdict", "strict", "strict"]
    names = [flight_name(call(), replace(prompt(), mode=mode), slot) for mode in modes]
    assert names[0] != names[1] == names[2]
