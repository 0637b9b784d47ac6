"""prompts test and diff: the cases beside a template, on the real engine, on what it said, and on renders alone."""

import os
from pathlib import Path
from xml.etree import ElementTree

import pygit2
import pytest

from tests.gateway.cli.conftest import Tollgate

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


def test_cases_pass_on_the_engine_and_again_on_what_it_said(tollgate: Tollgate, library: Path, engine: str) -> None:
    (asked,) = tollgate("prompts", "test", "--record", "--times", 2, "--config", library, "--json").json
    assert (asked["prompt"], asked["passed"], asked["met"], asked["times"]) == ("ask", True, 2, 2)
    assert asked["cost_usd"] == (asked["input_tokens"] * 2 + asked["output_tokens"] * 4) / 1e6
    library.write_text(library.read_text().replace(engine, "http://127.0.0.1:1"))  # no model is needed now
    (said,) = tollgate("prompts", "test", "ask", "--recorded", "--times", 2, "--config", library, "--json").json
    assert said == asked


def test_a_case_that_fails_fails_the_command_and_says_why(tollgate: Tollgate, library: Path, tmp_path: Path) -> None:
    cases = tmp_path / "library/templates/ask.cases.yaml"
    cases.write_text(CASES.replace('{matches: "(?s).+"}', "{exact: it never says this}"))
    ran = tollgate("prompts", "test", "--junit", tmp_path / "junit.xml", "--config", library, "--json")
    assert ran.code == 1
    assert "exact: it is another text" in ran.out
    failure = ElementTree.parse(tmp_path / "junit.xml").getroot().find("testsuite[@name='ask']/testcase/failure")
    assert failure is not None
    assert failure.get("message") == "0 of 1 answers are as expected"


def test_a_render_that_changed_is_seen_without_a_model(tollgate: Tollgate, library: Path, tmp_path: Path) -> None:
    golden = ("prompts", "test", "ask", "--config", library, "--json")
    assert tollgate(*golden, "--update").code == 0
    assert tollgate(*golden, "--renders").code == 0
    older = tollgate(*golden, "--renders", "--version", "v1")
    assert (older.code, "golden" in older.out) == (1, True)
    template = tmp_path / "library/templates/ask.md.j2"
    template.write_text(template.read_text().replace("Please", "Kindly"))
    assert tollgate(*golden, "--renders").code == 1


def test_versions_are_compared_by_text_tokens_price_and_score(tollgate: Tollgate, library: Path) -> None:
    found = tollgate("prompts", "diff", "ask", "v1", "v2", "--times", 1, "--config", library, "--json").json
    assert [line for line in found["diff"] if line.startswith(("-W", "+W", "-S", "+P"))] == [
        "-Say briefly: {{ question }}",
        "+Please be so kind as to say, in a few words only: {{ question }}",
    ]
    (row,) = found["cases"]
    assert row["tokens_more"] == row["new_tokens"] - row["old_tokens"] > 0
    assert row["new_cost_usd"] == row["new_tokens"] * 2 / 1e6
    assert (row["old_met"], row["new_met"]) == ("1/1", "1/1")
    ran = tollgate("prompts", "diff", "ask", "v2", "--config", library)
    assert ran.out.startswith("the texts are the same")


def test_the_shipped_cases_render(tollgate: Tollgate, config: Path) -> None:
    rows = tollgate("prompts", "test", "--renders", "--config", config, "--json").json
    assert {row["prompt"] for row in rows} >= {"answer", "classify-ticket", "review-diff"}


def test_what_cannot_be_tried_is_said(tollgate: Tollgate, library: Path, tmp_path: Path) -> None:
    asked = ("prompts", "test", "--config", library)
    assert "--record" in tollgate(*asked, "ask", "--recorded").err
    assert "no model 'nope'" in tollgate(*asked, "--model", "nope").err
    assert tollgate(*asked, "--version", "v1").code == 2
    assert tollgate(*asked, "--record", "--recorded").code == 2
    os.remove(tmp_path / "library/templates/ask.cases.yaml")
    assert "has no cases" in tollgate(*asked, "ask").err
    assert tollgate("prompts", "diff", "ask", "v9", "--config", library).code == 1
