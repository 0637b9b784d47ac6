"""Front matter is read strictly, and every fault has its line."""

from typing import Any

import pytest

from prompts.errors import LibraryError
from prompts.front import FrontMatter, read, split

WHOLE = """---
description: Everything a header can say.
model: small
sampling: {temperature: 0.5, top_p: 0.9, max_tokens: 10, stop: "\\n", seed: 1, top_k: 5}
variables:
  question: {type: string}
  tone: {type: string, default: plain}
question: question
retrieve: {collection: docs, top_k: 6}
output_schema: {type: object}
on_length: retry
on_stop: {length: [continue, retry], stalled: retry}
mode: strict
cache: off
owner: team
sections: {history: {max_tokens: 800, drop: oldest}, system: {}}
---
body
"""
SAME = """+++
description = "Everything a header can say."
model = "small"
question = "question"
output_schema = {type = "object"}
on_length = "retry"
mode = "strict"
cache = "off"
owner = "team"
[sections]
history = {max_tokens = 800, drop = "oldest"}
system = {}
[on_stop]
length = ["continue", "retry"]
stalled = "retry"
[sampling]
temperature = 0.5
top_p = 0.9
max_tokens = 10
stop = ["\\n"]
seed = 1
top_k = 5
[variables]
question = {type = "string"}
tone = {type = "string", default = "plain"}
[retrieve]
collection = "docs"
top_k = 6
+++
body
"""
SMALL = "---\ndescription: d\nvariables: {}\n---\n"


def front(text: str) -> FrontMatter:
    header, _ = split("t", text)
    return read("t", header)


def faults(text: str) -> list[str]:
    with pytest.raises(LibraryError) as caught:
        front(text)
    return [str(fault) for fault in caught.value.faults]


def test_yaml_and_toml_say_the_same() -> None:
    assert front(WHOLE) == front(SAME)


def test_what_a_header_says() -> None:
    got = front(WHOLE)
    assert got.sampling == {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 10,
        "stop": ["\n"],
        "seed": 1,
        "top_k": 5,
    }
    assert got.retrieve is not None
    assert (got.retrieve.collection, got.retrieve.top_k) == ("docs", 6)
    assert (got.model, got.task, got.question, got.on_length, got.cache.tier) == (
        "small",
        None,
        "question",
        "retry",
        "off",
    )
    assert got.output_schema == {"type": "object"}
    assert got.owner == "team"
    assert (got.sections["history"].max_tokens, got.sections["history"].drop) == (800, "oldest")
    assert (got.sections["system"].max_tokens, got.sections["system"].drop) == (None, None)
    assert (got.on_stop, got.mode) == ({"length": ["continue", "retry"], "stalled": ["retry"]}, "strict")


def test_what_is_left_out_is_left_open() -> None:
    got = front(SMALL)
    assert (got.model, got.sampling, got.question, got.retrieve, got.on_length, got.cache.tier) == (
        *(None, {}, None, None, None),
        "off",
    )


def test_the_shorthand_is_a_closed_object() -> None:
    assert front(WHOLE).variables == {
        "type": "object",
        "properties": {"question": {"type": "string"}, "tone": {"type": "string", "default": "plain"}},
        "required": ["question"],
        "additionalProperties": False,
    }


def test_a_whole_schema_stays_as_it_is_and_closed() -> None:
    whole = "{type: object, properties: {a: {type: string}}, minProperties: 1}"
    expected: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}, "minProperties": 1}
    got = front(f"---\ndescription: d\nvariables: {whole}\n---\n").variables
    assert got == expected | {"additionalProperties": False}


def test_the_body_keeps_its_line_numbers() -> None:
    _, body = split("t", "---\r\na: 1\r\n---\r\nfirst\r\n---\r\n")
    assert body == "\n\n\nfirst\n---\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t:1: must begin with front matter"),
        ("\ufeff---\n", "t:1: must begin with front matter"),
        ("---\ndescription: d\n", "t:1: the front matter has no end: a second line --- is missing"),
        ("---\na: [\n---\n", "t:2: not YAML"),
        ("---\ndescription: d\ndescription: e\nvariables: {}\n---\n", "t:3: not YAML: duplicate key 'description'"),
        ("+++\na = @\n+++\n", "t:2: not TOML"),
        ("---\n- a\n---\n", "t:1: Input should be a valid dictionary"),
        ("---\n" + "[" * 2000 + "\n---\n", "t:1: cannot be read"),
        ("---\na: \x07\n---\n", "t:1: cannot be read"),
    ],
)
def test_a_header_that_cannot_be_read(text: str, message: str) -> None:
    [fault] = faults(text)
    assert fault.startswith(message)
    assert "\n" not in fault


def test_a_filter_has_one_value_or_several() -> None:
    said = "retrieve: {collection: docs, filter: {team: people, year: ['2025', '2026']}, floor: 0.2}\nquestion: topic"
    got = front(f"---\ndescription: d\nvariables: {{topic: {{type: string}}}}\n{said}\n---\n").retrieve
    assert got is not None
    assert (got.filter, got.floor) == ({"team": ["people"], "year": ["2025", "2026"]}, 0.2)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("temprature: 0", "t:4: temprature: unknown key"),
        ("sampling: {temprature: 0}", "t:4: sampling.temprature: unknown key"),
        ("sampling:\n  top_p: 0.5\n  n: 2", "t:6: sampling.n: unknown key"),
        ("sampling: {temperature: 3}", "t:4: sampling.temperature: Input should be less than or equal to 2"),
        ("sampling: {temperature: '0'}", "t:4: sampling.temperature: Input should be a valid number"),
        ("sampling: {max_tokens: true}", "t:4: sampling.max_tokens: Input should be a valid integer"),
        ("sampling: {stop: [a, b, c, d, e]}", "t:4: sampling.stop: List should have at most 4 items"),
        ("retrieve: {top_k: 4}", "t:4: retrieve.collection: Field required"),
        ("cache: of", "t:4: cache.tier: Input should be 'off', 'exact' or 'semantic'"),
        ("on_length: ignore", "t:4: on_length: Input should be 'error', 'return', 'retry' or 'continue'"),
        ("on_stop: {length: []}", "t:4: on_stop.length: List should have at least 1 item"),
        ("sections: {footer: {}}", "t:4: sections.footer: Input should be 'system', 'examples', 'history'"),
        (
            "sections: {user: {max_tokens: 0}}",
            "t:4: sections.user.max_tokens: Input should be greater than or equal to",
        ),
        ("sections: {user: {drop: most}}", "t:4: sections.user.drop: Input should be 'oldest', 'lowest', 'last'"),
        ("sections: {system: {drop: oldest}}", "t:4: sections.system.drop: drops never"),
        ("mode: lax", "t:4: mode: Input should be 'verdict' or 'strict'"),
        ("output_schema: {type: objekt}", "t:4: output_schema: type: "),
        ("output_schema: {$ref: 'http://127.0.0.1:9/'}", "t:4: output_schema: Resource"),
        ("model: a\ntask: b", "t:5: task: model and task exclude each other"),
        ("question: topic", "t:4: question: 'topic' is not a declared variable of type string"),
        ("question: count", "t:4: question: 'count' is not a declared variable of type string"),
        ("question: anything", "t:4: question: 'anything' is not a declared variable of type string"),
        ("cache: semantic", "t:4: cache: semantic compares the question alone"),
        ("retrieve: {collection: docs}", "t:4: retrieve: searches for the question"),
        ("retrieve: {collection: docs, floor: 2}", "t:4: retrieve.floor: Input should be less than or equal to 1"),
        ("retrieve: {collection: docs, filter: people}", "t:4: retrieve.filter: Input should be a valid dictionary"),
        ("retrieve: {collection: docs, filter: {team: 1}}", "t:4: retrieve.filter.team: Input should be a valid list"),
        ("retrieve: {collection: docs, filter: {team: []}}", "t:4: retrieve.filter.team: List should have at least 1"),
        ("retrieve: {collection: docs, access: [hr]}", "t:4: retrieve.access: unknown key"),
        ("output_schema: {type: object}\non_length: continue", "t:5: on_length: continue cannot be combined"),
    ],
)
def test_one_fault(line: str, message: str) -> None:
    [fault, *_] = faults(f"---\ndescription: d\nvariables: {{count: {{type: integer}}, anything: true}}\n{line}\n---\n")
    assert fault.startswith(message)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ("[a]", "Input should be a valid dictionary"),
        ("{a: string}", "properties.a: the value is not of types"),
        ("{a: {type: strin}}", "properties.a.type: "),
        ("{a: {type: integer, default: x}}", "a.default: does not satisfy the schema of a"),
        ("{a-b: {type: string}}", "'a-b' cannot be the name of a variable"),
        ("{_a: {type: string}}", "'_a' cannot be the name of a variable"),
        ("{passages: {type: array}}", "'passages' cannot be the name of a variable"),
        ("{caller: {type: string}}", "'caller' cannot be the name of a variable"),
        ("{1: {type: string}}", "Dict key must be str"),
        ("{a: 5}", "properties.a: the value is not of types"),
        ("{a: null}", "properties.a: the value is not of types"),
    ],
)
def test_variables_that_are_no_schema(variables: str, message: str) -> None:
    [fault] = faults(f"---\ndescription: d\nvariables: {variables}\n---\n")
    assert fault.startswith("t:3: variables: " + message)


def test_all_faults_are_told_at_once() -> None:
    text = "---\nvariables: {a: {type: strin}}\ncolour: red\ncache: maybe\n---\n"
    assert [fault.split(": ")[1] for fault in faults(text)] == ["description", "variables", "cache.tier", "colour"]
