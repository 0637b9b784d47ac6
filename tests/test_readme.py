"""What the README shows is run as it stands there: its Python example against a real engine, its paths on this tree."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.cli.processes import running
from tests.gateway.cli.test_up import announced

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_openai_example_runs_as_printed(engine: str, tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    with running("up", "--backend", engine, "--port", 0, "--state", tmp_path, "--json", log=tmp_path / "log") as up:
        started = announced(up)
        access = {"TOLLGATE_URL": started["url"], "TOLLGATE_KEY": started["key"]}
        ran = subprocess.run(
            [sys.executable, "-c", example], env=os.environ | access, capture_output=True, text=True, timeout=120
        )
    assert ran.returncode == 0, ran.stderr
    assert "tokens," in ran.stdout
    assert "kv-cache.md" in ran.stdout  # the passage that is cited is one about the KV cache


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)\)", README))))
def test_what_it_links_to_is_there(link: str) -> None:
    assert (ROOT / link).exists()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w/.]+)`", README))))
def test_what_it_names_as_proof_is_there(path: str) -> None:
    assert (ROOT / path).exists()
