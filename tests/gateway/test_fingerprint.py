"""Changing any one part changes the partition; the question alone changes only the key."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.exchange import Call, Cut, Format, Message, Parts, Prompt, PromptRef, Search, Snapshot
from gateway.fingerprint import fingerprint
from gateway.settings import Retrieve
from gateway.state import Scopes
from prompts.template import parse
from retrieval.query import Scope
from tests.gateway.calls import call, caller
from tests.gateway.indexes import Identified, Named

SOURCE = """---
description: d
variables:
  question: {type: string}
  audience: {type: string}
question: question
---
{% message role="user" %}{{ question }} {{ audience }}{% endmessage %}
"""
TURNS = ({"role": "system", "content": "Be kind."}, {"role": "user", "content": "Why?"})
WHO = caller("acme")
DOCS = Retrieve(path=Path("docs"))


def search(
    version: str = "v1", name: str = "docs", section: Retrieve = DOCS, top_k: int = 4, floor: float = 0.1,
    access: tuple[str, ...] = ("hr",), where: Mapping[str, tuple[str, ...]] = {"team": ("people",)},
) -> Search:  # fmt: skip
    return Search(
        Snapshot(name, Named(version), section, Identified()),
        top_k,
        floor,
        Scope(frozenset(access), where),
        section.max_tokens,
    )


def prompt(**changes: Any) -> Prompt:
    plain = Prompt(
        model="small", messages=TURNS, fields={"temperature": 0.5, "seed": 1}, template=None, question="Why?",
        format=Format("json", {"type": "object"}), retrieve=search(), on_stop={"ceiling": ("return",)},
        mode="verdict", cache="exact",
    )  # fmt: skip
    return replace(plain, **changes)


def cut(whole: tuple[Message, ...], left: tuple[Message, ...], window: int = 4096) -> Cut:
    return Cut.of(Parts(whole), Parts(left), "oldest", window)


def digests(of: Prompt, asked: Call | None = None, **changes: Any) -> tuple[str, str]:
    rest: dict[str, Any] = {
        "shared": False,
        "served": "tiny",
        "embedder": "minilm",
        "output": 64,
    } | changes
    return fingerprint(asked or call(who=WHO, messages=of.messages), of, **rest)


def templated(source: str = SOURCE, messages: tuple[Any, ...] = (), **variables: Any) -> tuple[str, str]:
    of = prompt(template=parse("t", "t.md.j2", source.encode()), question=variables.get("question", "Why?"))
    ref = PromptRef("t", None, {"question": "Why?", "audience": "experts"} | variables)
    return digests(of, call(who=WHO, prompt=ref, messages=messages))


def test_the_same_request_has_the_same_digests() -> None:
    assert digests(prompt()) == digests(prompt())
    assert digests(prompt(fields={"seed": 1, "temperature": 0.5})) == digests(prompt())
    assert templated() == templated()


# What of a prompt and a call must not part two requests, and why. Whatever else they have must: so a new field that
# nobody has thought of here fails the test.
BESIDE_PROMPT = {
    "cache", "mode", "parts",  # where answers are kept; when a stream is shown; what messages are made of
    "side",  # which version was chosen is in its digest
    "unenforced",  # follows from the format
}  # fmt: skip
BESIDE_CALL = {
    "request_id", "stream", "trace", "at",  # of this request alone
    "inputs",  # nothing is generated
    "model", "fields", "options", "text", "conversation",  # what they come to is in the prompt
}  # fmt: skip


def test_every_part_parts() -> None:
    """One change for each field of a prompt, and of a call that has a template."""
    made = parse("t", "t.md.j2", SOURCE.encode())
    ref = PromptRef("t", None, {"question": "Why?", "audience": "experts"})
    one, asked = prompt(template=made), call(who=WHO, prompt=ref, messages=())
    prompts: dict[str, Prompt] = {
        "model": replace(one, model="large"),
        "messages": prompt(messages=TURNS[1:]),
        "fields": replace(one, fields={"tools": [{"type": "function"}]}),
        "template": replace(
            one, template=parse("t", "t.md.j2", SOURCE.replace("description: d", "description: e").encode())
        ),
        "question": replace(one, question="How?"),
        "format": replace(one, format=Format("json", {"type": "array"})),
        "retrieve": replace(one, retrieve=None),
        "on_stop": replace(one, on_stop={"ceiling": ("error",)}),
        "text": replace(one, text="Why?"),
        "cut": replace(one, cut=cut(TURNS, TURNS[1:])),
    }
    calls = {
        "caller": replace(asked, caller=caller("globex")),
        "messages": replace(asked, messages=({"role": "user", "content": "And?"},)),
        "prompt": replace(asked, prompt=replace(ref, variables={**ref.variables, "audience": "children"})),
    }
    assert prompts.keys() | BESIDE_PROMPT == {field.name for field in fields(Prompt)}
    assert calls.keys() | BESIDE_CALL == {field.name for field in fields(Call)}
    keys = [digests(one, asked)[1], digests(prompt())[1]]
    keys += [digests(changed, asked if changed.template else None)[1] for changed in prompts.values()]
    keys += [digests(one, changed)[1] for changed in calls.values()]
    assert len(set(keys)) == len(keys) == 2 + len(prompts) + len(calls)


def test_a_prompt_that_was_cut_is_the_one_that_was_asked() -> None:
    """What is left of two conversations may be the same, and grow back differently."""

    def asked(first: str, window: int = 4096) -> str:
        whole = ({"role": "user", "content": first}, *TURNS)
        return digests(prompt(parts=Parts(whole), cut=cut(whole, TURNS, window)))[0]

    assert asked("Hi") == asked("Hi")
    assert len({asked("Hi"), asked("Hey"), asked("Hi", 8192), digests(prompt(parts=Parts(TURNS)))[0]}) == 4


def test_what_all_tenants_share_leaves_out_the_tenant() -> None:
    mine, other = call(who=WHO, messages=TURNS), call(who=caller("globex"), messages=TURNS)
    assert digests(prompt(), mine, shared=True) == digests(prompt(), other, shared=True)
    assert digests(prompt(), mine, shared=True)[0] != digests(prompt(), mine)[0]


@pytest.mark.parametrize("same", ["  Why?\n", "Why?\u00a0"])
def test_the_question_is_taken_without_the_space_around_it(same: str) -> None:
    assert digests(prompt(question=same))[1] == digests(prompt())[1]
    assert digests(prompt(question="Why  ?"))[1] != digests(prompt())[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "large"},
        {"messages": ({"role": "system", "content": "Be rude."}, TURNS[1])},
        {"messages": TURNS[1:]},
        {"messages": (TURNS[0], {**TURNS[1], "name": "ann"})},
        {"fields": {"temperature": 0.6, "seed": 1}},
        {"fields": {"temperature": 0.5}},
        {"fields": {"temperature": 0.5, "seed": 1, "max_tokens": 5}},
        {"format": Format("json", {"type": "array"})},
        {"format": Format()},
        {"retrieve": None},
        {"retrieve": search(name="other")},
        {"retrieve": search(version="v2")},
        {"retrieve": search(top_k=5)},
        {"retrieve": search(floor=0.2)},
        {"retrieve": search(access=())},
        {"retrieve": search(access=("hr", "board"))},
        {"retrieve": search(where={})},
        {"retrieve": search(where={"team": ()})},
        {"retrieve": search(where={"team": ("people", "legal")})},
        {"retrieve": search(where={"people": ("team",)})},
        {"retrieve": search(section=DOCS.model_copy(update={"max_tokens": 300}))},
        {"retrieve": search(section=DOCS.model_copy(update={"rerank": "cross"}))},
        {"on_stop": {"ceiling": ("continue", "return")}},
    ],
)
def test_each_part_of_the_prompt_changes_the_partition(changes: dict[str, Any]) -> None:
    one, other = digests(prompt()), digests(prompt(**changes))
    assert one[0] != other[0]
    assert one[1] != other[1]


@pytest.mark.parametrize("changes", [{"served": "large"}, {"embedder": "other"}, {"output": 65}])
def test_each_part_beside_the_prompt_changes_the_partition(changes: dict[str, Any]) -> None:
    assert digests(prompt())[0] != digests(prompt(), **changes)[0]


def test_the_tenant_changes_the_partition_and_the_key_does_not() -> None:
    mine = digests(prompt(), call(who=WHO, messages=TURNS))
    assert digests(prompt(), call(who=caller("globex"), messages=TURNS))[0] != mine[0]
    assert digests(prompt(), call(who=replace(WHO, key="another"), messages=TURNS)) == mine


def test_the_order_of_labels_and_values_changes_nothing() -> None:
    one = search(access=("hr", "board"), where={"team": ("people", "legal"), "year": ("2026",)})
    other = search(access=("board", "hr"), where={"year": ("2026",), "team": ("legal", "people")})
    assert digests(prompt(retrieve=one)) == digests(prompt(retrieve=other))


def test_labels_part_only_what_is_searched() -> None:
    """Of a key that holds some, an answer without passages is the same one."""
    holding = replace(WHO, scopes=Scopes(access=("hr",)))
    assert digests(prompt(retrieve=None), call(who=holding)) == digests(prompt(retrieve=None), call(who=WHO))


def test_the_question_changes_only_the_key() -> None:
    asked = (TURNS[0], {"role": "user", "content": "How?"})
    one, other = digests(prompt()), digests(prompt(messages=asked, question="How?"))
    assert one[0] == other[0]
    assert one[1] != other[1]
    one, other = templated(), templated(question="How?")
    assert one[0] == other[0]
    assert one[1] != other[1]


def test_without_a_question_every_message_counts() -> None:
    turns = (*TURNS, {"role": "assistant", "content": "So."})
    one = digests(prompt(messages=turns, question=None))
    other = digests(prompt(messages=(*TURNS, {"role": "assistant", "content": "No."}), question=None))
    assert one[0] != other[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": "children"},
        {"source": SOURCE.replace("description: d", "description: e")},
        {"messages": ({"role": "user", "content": "And?"},)},
    ],
)
def test_a_templates_other_variables_bytes_and_messages_change_the_partition(changes: dict[str, Any]) -> None:
    assert templated()[0] != templated(**changes)[0]


@pytest.mark.parametrize("beside", [{"stream": True}, {"user": "u1"}, {"metadata": {"a": "b"}}])
def test_fields_beside_the_answer_change_nothing(beside: dict[str, Any]) -> None:
    fields = {"temperature": 0.5, "seed": 1}
    assert digests(prompt(fields=fields | beside)) == digests(prompt())
