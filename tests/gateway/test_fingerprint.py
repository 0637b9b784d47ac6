"""Changing any one part changes the partition; the question alone changes only the key."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.exchange import Call, Prompt, PromptRef, Retrieval
from gateway.fingerprint import fingerprint
from prompts.template import parse
from tests.gateway.calls import call, caller

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


def prompt(**changes: Any) -> Prompt:
    plain = Prompt(
        model="small", messages=TURNS, fields={"temperature": 0.5, "seed": 1}, template=None, question="Why?",
        schema={"type": "object"}, retrieve=Retrieval("docs", 4), on_length="return", cache="exact",
    )  # fmt: skip
    return replace(plain, **changes)


def digests(of: Prompt, asked: Call | None = None, **changes: Any) -> tuple[str, str]:
    rest: dict[str, Any] = {"shared": False, "served": "tiny", "collection": "v1", "embedder": "minilm", "output": 64} | changes
    return fingerprint(asked or call(who=WHO, messages=of.messages), of, **rest)


def templated(source: str = SOURCE, messages: tuple[Any, ...] = (), **variables: Any) -> tuple[str, str]:
    of = prompt(template=parse("t", "t.md.j2", source.encode()), question=variables.get("question", "Why?"))
    ref = PromptRef("t", None, {"question": "Why?", "audience": "experts"} | variables)
    return digests(of, call(who=WHO, prompt=ref, messages=messages))


def test_the_same_request_has_the_same_digests() -> None:
    assert digests(prompt()) == digests(prompt())
    assert digests(prompt(fields={"seed": 1, "temperature": 0.5})) == digests(prompt())
    assert templated() == templated()


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
        {"schema": {"type": "array"}},
        {"schema": None},
        {"retrieve": Retrieval("other", 4)},
        {"retrieve": Retrieval("docs", 5)},
        {"retrieve": None},
        {"on_length": "continue"},
    ],
)
def test_each_part_of_the_prompt_changes_the_partition(changes: dict[str, Any]) -> None:
    one, other = digests(prompt()), digests(prompt(**changes))
    assert one[0] != other[0]
    assert one[1] != other[1]


@pytest.mark.parametrize("changes", [{"served": "large"}, {"collection": "v2"}, {"embedder": "other"}, {"output": 65}])
def test_each_part_beside_the_prompt_changes_the_partition(changes: dict[str, Any]) -> None:
    assert digests(prompt())[0] != digests(prompt(), **changes)[0]


def test_the_tenant_changes_the_partition_and_the_key_does_not() -> None:
    mine = digests(prompt(), call(who=WHO, messages=TURNS))
    assert digests(prompt(), call(who=caller("globex"), messages=TURNS))[0] != mine[0]
    assert digests(prompt(), call(who=replace(WHO, key="another"), messages=TURNS)) == mine


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
