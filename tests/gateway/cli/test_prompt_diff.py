"""prompts diff: two versions side by side, on the real engine."""

from pathlib import Path

import pygit2
import pytest

from tests.gateway.cli.conftest import Tollgate
from tests.gateway.cli.test_prompt_tests import CASES, commit, library, templates

__all__ = ["library"]


def test_versions_are_compared_by_text_tokens_price_and_score(tollgate: Tollgate, library: Path) -> None:
    found = tollgate("prompts", "diff", "ask", "v1", "v2", "--config", library, "--json").json
    assert [line for line in found["diff"] if line.startswith(("-S", "+P"))] == [
        "-Say briefly: {{ question }}",
        "+Please be so kind as to say, in a few words only: {{ question }}",
    ]
    assert found["cases"] == []  # neither version had any
    (row,) = tollgate("prompts", "diff", "ask", "v1", "--config", library, "--json").json["cases"]
    assert row["tokens_more"] == row["new_tokens"] - row["old_tokens"] > 0
    assert row["cost_usd_more"] == pytest.approx(row["tokens_more"] * 2 / 1e6)
    same = tollgate("prompts", "diff", "ask", "v2", "--config", library)
    assert same.out.startswith("the texts are the same")


def test_scores_stand_side_by_side_and_a_worse_version_is_held_back(tollgate: Tollgate, library: Path) -> None:
    asked = ("prompts", "diff", "ask", "v2", "--times", 12, "--gate", "--config", library)
    same = tollgate(*asked)
    assert same.code == 0
    assert "12 of 12 (0.76 to 1.00), then 12 of 12 (0.76 to 1.00): no significant change (at 1%)" in same.out
    template = templates(library) / "ask.md.j2"
    template.write_text(template.read_text().replace("max_tokens: 12", "max_tokens: 1"))  # every answer is cut
    worse = tollgate(*asked)
    assert (worse.code, "then 0 of 12" in worse.out, ": worse (at 1%)" in worse.out) == (1, True, True)


def test_a_case_that_only_one_version_takes_counts_on_neither_side(tollgate: Tollgate, library: Path) -> None:
    template = templates(library) / "ask.md.j2"
    template.write_text(template.read_text().replace("{question: ", "{tone: {type: string, default: dry}, question: "))
    more = CASES + CASES.replace("says something", "dryly").replace("{question:", "{tone: dry, question:")
    (templates(library) / "ask.cases.yaml").write_text(more)
    found = tollgate("prompts", "diff", "ask", "v2", "--times", 1, "--config", library, "--json").json
    assert [row["old_met"] for row in found["cases"]] == ["1/1", "0/0"]
    assert (found["score"]["old"]["times"], found["score"]["new"]["times"]) == (1, 1)


def test_a_partial_that_changed_is_in_the_diff(tollgate: Tollgate, library: Path) -> None:
    root = templates(library).parent
    (root / "partials").mkdir()
    (root / "partials/tone.md.j2").write_text("Be brief.")
    template = root / "templates/ask.md.j2"
    template.write_text(template.read_text().replace("Please", '{% include "tone" %} Please'))
    commit(pygit2.Repository(root), "v3")
    (root / "partials/tone.md.j2").write_text("Be kind.")
    found = tollgate("prompts", "diff", "ask", "v3", "--config", library, "--json").json
    assert [line for line in found["diff"] if line.startswith(("-B", "+B"))] == ["-Be brief.", "+Be kind."]


def test_what_cannot_be_compared_is_said(tollgate: Tollgate, library: Path) -> None:
    assert tollgate("prompts", "diff", "ask", "v9", "--config", library).code == 1
    assert tollgate("prompts", "diff", "ask", "v1", "--gate", "--config", library).code == 2
    silent = tollgate("prompts", "diff", "ask", "v1", "--times", 1, "--model", "nope", "--config", library)
    assert "no model 'nope'" in silent.err
