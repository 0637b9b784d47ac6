"""docs/prompts.md: its commands run as they stand, one after the other, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs/prompts.md").read_text(), re.S | re.M)


@pytest.mark.prove
def test_the_commands_of_the_page(tmp_path: Path) -> None:
    script = "set -euo pipefail\n" + "".join(BLOCKS)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("Greet Ada.") == 3
    assert ran.stdout.count("Write plainly") == 2
    assert "Good morning, Grace." in ran.stdout
