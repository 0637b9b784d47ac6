"""Files beside a template: examples become messages, tools become request fields, and each fault has its file."""

import json
from typing import Any

import pytest

from prompts.errors import LibraryError
from prompts.template import Template, parse

HEADER = """---
description: A template of a test.
{more}
variables:
  question: {{type: string, maxLength: 30}}
---
"""
BODY = """{% message role="system" %}Be brief.{% endmessage %}
{% message role="user" %}Q: {{ question }}{% if passages %} {{ passages|join }}{% endif %}{% endmessage %}
"""
TOOL = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}


def made(more: str = "examples: t.examples.yaml", **files: str) -> Template:
    data = {f"templates/{name.replace('__', '.')}": text.encode() for name, text in files.items()}
    return parse("t", "templates/t.md.j2", (HEADER.format(more=more) + BODY).encode(), read=data.get)


def faults(more: str = "examples: t.examples.yaml", **files: str) -> list[str]:
    with pytest.raises(LibraryError) as caught:
        made(more, **files)
    return [str(fault) for fault in caught.value.faults]


TWO = """
- variables: {question: "How many days has a week?"}
  answer: Seven.
  label: short
- variables: {question: "{{ 7 * 7 }}"}
  answer: {number: 49}
"""


def test_examples_stand_between_the_system_messages_and_the_rest() -> None:
    template = made(t__examples__yaml=TWO)
    assert template.render({"question": "Why?"}, ["p"]) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Q: How many days has a week?"},
        {"role": "assistant", "content": "Seven."},
        {"role": "user", "content": "Q: {{ 7 * 7 }}"},
        {"role": "assistant", "content": '{"number": 49}'},
        {"role": "user", "content": "Q: Why? p"},
    ]
    assert [shot.example.label for shot in template.shots] == ["short", None]


def test_examples_can_be_chosen() -> None:
    template = made(t__examples__yaml=TWO)
    assert len(template.render({"question": "Why?"}, shots=())) == 2
    assert template.render({"question": "Why?"}, shots=template.shots[1:])[1]["content"] == "Q: {{ 7 * 7 }}"


def test_what_is_rendered_belongs_to_who_asked() -> None:
    template = made(t__examples__yaml=TWO)
    template.render({"question": "Why?"})[1]["content"] = "changed"
    assert template.render({"question": "Why?"})[1]["content"] == "Q: How many days has a week?"


def test_json_and_json_lines_say_the_same() -> None:
    one: dict[str, Any] = {"variables": {"question": "q"}, "answer": "a"}
    lines = made("examples: t.examples.jsonl", t__examples__jsonl=json.dumps(one) + "\n")
    whole = made("examples: t.examples.json", t__examples__json=json.dumps([one]))
    assert lines.shots[0].messages == whole.shots[0].messages
    assert lines.digest != whole.digest


def test_the_digest_covers_what_stands_beside() -> None:
    assert made(t__examples__yaml=TWO).digest != made(t__examples__yaml=TWO + " ").digest


def test_tools_from_a_file_and_from_the_header() -> None:
    assert made("tools: t.tools.json", t__tools__json=json.dumps([TOOL])).tools == (TOOL,)
    assert made(f"tools: {json.dumps([TOOL])}").tools == (TOOL,)


@pytest.mark.parametrize(
    ("more", "files", "expected"),
    [
        ("examples: t.examples.yaml", {}, "templates/t.md.j2:1: examples: the file templates/t.examples.yaml is"),
        ("examples: ../t.yaml", {}, "templates/t.md.j2:3: examples: must be a file beside the template"),
        ("examples: t.py", {}, "templates/t.md.j2:3: examples: must be a file beside the template"),
        ("examples: t.examples.yaml", {"t__examples__yaml": "- a: ["}, "templates/t.examples.yaml:1: not YAML"),
        ("examples: t.examples.yaml", {"t__examples__yaml": "[]"}, "templates/t.examples.yaml: List should have at"),
        ("examples: t.examples.yaml", {"t__examples__yaml": "[{answer: a}]"}, "templates/t.examples.yaml: 0.var"),
        (
            "examples: t.examples.yaml",
            {"t__examples__yaml": "- {variables: {question: a question of so very many words}, answer: a}"},
            "templates/t.examples.yaml: 0: variable question: the value is longer than 30 characters",
        ),
        (
            "examples: t.examples.yaml\noutput_schema: {type: object}",
            {"t__examples__yaml": "- {variables: {question: q}, answer: a}"},
            "templates/t.examples.yaml: 0: its answer does not satisfy the template's output_schema",
        ),
        ("examples: t.e.jsonl", {"t__e__jsonl": '{"variables": {}}\n{'}, "templates/t.e.jsonl:2: not JSON"),
        ("tools: t.tools.json", {"t__tools__json": "[{"}, "templates/t.tools.json:1: not JSON"),
        ("tools: t.tools.json", {"t__tools__json": '[{"type": "f"}]'}, "templates/t.tools.json: 0.type: Input should"),
        ("tools: t.tools.json", {"t__tools__json": json.dumps([TOOL, TOOL])}, "templates/t.tools.json: tools: sear"),
        (
            "tools: t.tools.json",
            {"t__tools__json": '[{"type": "function", "function": {"name": "a", "parameters": {"type": "x"}}}]'},
            "templates/t.tools.json: 0.function.parameters: type: ",
        ),
    ],
)  # fmt: skip
def test_faults(more: str, files: dict[str, str], expected: str) -> None:
    told = faults(more, **files)
    assert told[0].startswith(expected), told


LABELLED = """
- {variables: {question: a}, answer: {kind: x}}
- {variables: {question: b}, answer: {kind: y}, label: own}
"""
CHOOSING = "examples: t.examples.yaml\nquestion: question\nshots: "


def test_examples_have_their_own_label_or_a_field_of_their_answer() -> None:
    template = made(CHOOSING + "{select: balanced, label: kind}", t__examples__yaml=LABELLED)
    assert [shot.label for shot in template.shots] == ["x", "own"]


@pytest.mark.parametrize(
    ("shots", "examples", "fault"),
    [
        ("{select: balanced}", LABELLED, "0: has no label, and its answer no text field that could be one"),
        ("{select: balanced, label: sort}", LABELLED, "0: has no label, and its answer no text sort"),
        ("{select: balanced, label: kind, count: 1}", LABELLED, "shots.count: 1 are too few for one of each of 2"),
        ("{select: similar, count: 0}", LABELLED, "shots.count: Input should be greater than or equal to 1"),
        ("{select: nearest}", LABELLED, "shots.select: Input should be 'fixed', 'similar' or 'balanced'"),
    ],
)
def test_examples_that_cannot_be_chosen_from_are_faults(shots: str, examples: str, fault: str) -> None:
    assert fault in "\n".join(faults(CHOOSING + shots, t__examples__yaml=examples))


def test_what_chooses_needs_examples_and_a_question() -> None:
    assert "name their file with `examples`" in faults("shots: {}")[0]
    without = faults("examples: t.examples.yaml\nshots: {select: similar}", t__examples__yaml=LABELLED)
    assert "compares the question" in without[0]
