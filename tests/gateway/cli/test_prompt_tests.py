"""prompts test: the cases beside a template, on the real engine, on what it said, on renders alone."""

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pygit2
import pytest

from tests.gateway.cli.conftest import ROOT, Tollgate

BODY = """---
description: Answers.
model: small
sampling: {temperature: 0, max_tokens: 12}
variables: {question: {type: string}}
---
{% message role="user" %}
WORDS {{ question }}
{% endmessage %}
"""
CASES = """
- name: says something
  variables: {question: "How many days has a week?"}
  expect: [{matches: "(?s).+"}, {excludes: "\\u0000"}]
"""


@pytest.fixture
def library(config: Path, tmp_path: Path, engine: str) -> Path:
    """Settings whose library is a repository of its own: `ask` in two versions, tagged v1 and v2."""
    folder = tmp_path / "library" / "templates"
    folder.mkdir(parents=True)
    repository = pygit2.init_repository(tmp_path / "library")
    for tag, words in (("v1", "Say briefly:"), ("v2", "Please be so kind as to say, in a few words only:")):
        (folder / "ask.md.j2").write_text(BODY.replace("WORDS", words))
        commit(repository, tag)
    (folder / "ask.cases.yaml").write_text(CASES)
    text = config.read_text().replace("http://127.0.0.1:1", engine)
    lines = [f'prompts = "{tmp_path}/library"' if "prompts =" in line else line for line in text.splitlines()]
    config.write_text("\n".join(lines))
    return config


def commit(repository: pygit2.Repository, tag: str) -> None:
    repository.index.add_all()
    tree, author = repository.index.write_tree(), pygit2.Signature("A", "a@example.com", 1700000000, 0)
    parents = [] if repository.head_is_unborn else [repository.head.target]
    made = repository.create_commit("refs/heads/main", author, author, tag, tree, parents)
    repository.set_head("refs/heads/main")
    repository.create_reference(f"refs/tags/{tag}", made)


def templates(library: Path) -> Path:
    return library.parent / "library/templates"


def test_cases_pass_on_the_engine_and_again_on_what_it_said(tollgate: Tollgate, library: Path, engine: str) -> None:
    (asked,) = tollgate("prompts", "test", "--record", "--times", 2, "--config", library, "--json").json
    assert (asked["prompt"], asked["result"], asked["met"], asked["times"]) == ("ask", "passed", 2, 2)
    assert asked["cost_usd"] == pytest.approx((asked["input_tokens"] * 2 + asked["output_tokens"] * 4) / 1e6)
    library.write_text(library.read_text().replace(engine, "http://127.0.0.1:1"))  # no model is needed now
    (said,) = tollgate("prompts", "test", "ask", "--offline", "--times", 2, "--config", library, "--json").json
    assert said | {"seconds": 0} == asked | {"seconds": 0}
    template = templates(library) / "ask.md.j2"
    template.write_text(template.read_text().replace("Please", "Kindly"))
    stale = tollgate("prompts", "test", "--offline", "--config", library)
    assert (stale.code, "no answer to this prompt as it is now" in stale.out) == (1, True)


def test_a_case_that_fails_fails_the_command_and_says_why(tollgate: Tollgate, library: Path, tmp_path: Path) -> None:
    (templates(library) / "ask.cases.yaml").write_text(
        CASES.replace('{matches: "(?s).+"}', "{exact: it never says this}")
    )
    ran = tollgate("prompts", "test", "--junit", tmp_path / "junit.xml", "--config", library)
    assert ran.code == 1
    assert "ask: says something\n    exact: it is another text" in ran.out
    failure = ElementTree.parse(tmp_path / "junit.xml").getroot().find("testsuite[@name='ask']/testcase/failure")
    assert failure is not None
    assert failure.get("message") == "0 of 1 answers are as expected"


def test_a_render_that_changed_is_seen_without_a_model(tollgate: Tollgate, library: Path) -> None:
    offline = ("prompts", "test", "ask", "--offline", "--config", library)
    assert tollgate("prompts", "test", "--update", "--config", library, "--json").json == [
        {"prompt": "ask", "cases": 1, "changed": [], "new": True}
    ]
    assert tollgate(*offline).code == 0
    template = templates(library) / "ask.md.j2"
    template.write_text(template.read_text().replace("Please", "Kindly"))
    changed = tollgate(*offline)
    assert changed.code == 1
    assert "-Please be so kind as to say, in a few words only: How many days has a week?" in changed.out
    (templates(library) / "ask.cases.yaml").write_text(CASES.replace("says something", "another name"))
    gone = {row["case"]: row["result"] for row in json.loads(tollgate(*offline, "--json").out)}
    assert gone == {"another name": "failed", "says something": "failed"}


def test_an_output_schema_that_the_engine_refuses_is_seen_without_a_model(tollgate: Tollgate, library: Path) -> None:
    schema = "output_schema: {type: object, properties: {a: {type: array, uniqueItems: true}}, required: [a]}"
    (templates(library) / "shaped.md.j2").write_text(BODY.replace("model: small", f"model: small\n{schema}"))
    rows = json.loads(tollgate("prompts", "test", "--offline", "--config", library, "--json").out)
    (shaped,) = (row for row in rows if row["prompt"] == "shaped")
    assert (shaped["case"], shaped["result"]) == ("output_schema", "failed")


def test_a_version_is_tried_with_its_own_cases(tollgate: Tollgate, library: Path) -> None:
    ran = tollgate("prompts", "test", "ask", "--version", "v1", "--config", library)
    assert (ran.code, "prompts diff" in ran.err) == (1, True)  # they were written after v2
    commit(pygit2.Repository(templates(library).parent), "v3")
    (templates(library) / "ask.cases.yaml").write_text(CASES.replace("expect:", "expect: [{exact: nothing}] #"))
    assert tollgate("prompts", "test", "ask", "--version", "v3", "--config", library).code == 0
    assert tollgate("prompts", "test", "ask", "--config", library).code == 1


def test_a_repository_brings_its_cases_and_is_not_written_to(tollgate: Tollgate, library: Path) -> None:
    commit(pygit2.Repository(templates(library).parent), "v3")
    text = library.read_text().replace(f'prompts = "{templates(library).parent}"', 'repository = "library"')
    library.write_text(text)
    (row,) = tollgate("prompts", "test", "--config", library, "--json").json
    assert (row["case"], row["result"]) == ("says something", "passed")
    assert "only read" in tollgate("prompts", "test", "--update", "--config", library).err


def test_the_shipped_cases_render_as_their_golden_files_say(tollgate: Tollgate, config: Path) -> None:
    rows = tollgate("prompts", "test", "--offline", "--config", config, "--json").json
    names = {row["prompt"] for row in rows}
    assert names >= {"answer", "classify-ticket", "review-diff", "extract-fields", "route-intent", "sql-from-question"}
    assert all((ROOT / f"prompts/templates/{name}.golden.json").exists() for name in names)
    assert any(row["prompt"] == "answer" and row["times"] for row in rows)  # answered from what was recorded


def test_what_cannot_be_tried_is_said(tollgate: Tollgate, library: Path) -> None:
    asked = ("prompts", "test", "--config", library)
    assert "no model 'nope'" in tollgate(*asked, "--model", "nope").out
    assert tollgate(*asked, "--version", "v1").code == 2
    assert tollgate(*asked, "--record", "--offline").code == 2
    assert tollgate(*asked, "--url", "http://127.0.0.1:1").code == 2  # and no key
    assert "does not answer as a gateway does" in tollgate(*asked, "--url", "http://127.0.0.1:1", "--key", "k").out
    os.remove(templates(library) / "ask.cases.yaml")
    assert "has no cases" in tollgate(*asked, "ask").err
