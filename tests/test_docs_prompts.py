"""The pages on prompts: their commands run as they stand, one after the other, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lxml import etree

from tests.fakes.ports import free_port

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "tests/gateway/workbench/junit.xsd"


def commands(page: str) -> str:
    """Every block of shell commands of a page, as one script that ends at the first that fails."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs" / page).read_text(), re.S | re.M)
    return "set -euo pipefail\n" + "".join(blocks)


def ran(script: str, folder: Path, **environment: str) -> str:
    """What it prints. Whatever it leaves running in the background ends with it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + script],
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.prove
def test_the_commands_of_the_page(tmp_path: Path) -> None:
    said = ran(commands("prompts.md"), tmp_path)
    assert said.count("Greet Ada.") == 3
    assert said.count("Write plainly") == 2
    assert "Good morning, Grace." in said


@pytest.mark.prove
def test_a_first_prompt_is_written_tested_versioned_compared_shipped_and_taken_back(
    tmp_path: Path, engine: str
) -> None:
    script = commands("first-prompt.md").replace("8080", str(free_port()))
    said = ran(script, tmp_path, TOLLGATE_BACKEND_URL=engine)
    assert "-A ticket for adults costs 12 euros." in said  # offline, before any model is asked
    assert "the gate is shut" in said
    assert "5 of 10 (0.24 to 0.76), then 10 of 10 (0.72 to 1.00)" in said
    answers = re.findall(r"^A ticket for adults costs (\d+) euros\. \[2\] .*'version': '(\w+)'", said, re.M)
    assert [price for price, _ in answers] == ["14", "12", "12"]  # latest, the pinned version, what was taken back
    assert answers[1][1] == "v1"
    assert answers[0][1] != answers[2][1]
    assert "failed" not in said.rpartition("git revert")[2].rpartition("euros")[2]
    etree.XMLSchema(etree.parse(str(SCHEMA))).assertValid(etree.parse(str(tmp_path / "prompts.xml")))


def test_its_beginning_and_its_gate_need_no_model(tmp_path: Path) -> None:
    """The small version of the one before: to write, render and guard a prompt."""
    page = commands("first-prompt.md")
    written, rest = page[: page.index("tollgate up")], page[page.index("sed -i 's/costs 12 euros") :]
    gate = "".join(rest.splitlines(keepends=True)[:2])
    said = ran(written + "tollgate prompts test --update\n" + gate, tmp_path)
    assert "Question: How much is a ticket?" in said
    assert said.index("-A ticket for adults costs 12 euros.") < said.index("the gate is shut")
