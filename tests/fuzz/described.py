"""Schemathesis (schemathesis.io) of .venv-clients asks a gateway what its own description allows, and what it does not.

By hand, for one path, with its report on the terminal:

    .venv-clients/bin/st --config-file tests/fuzz/schemathesis.toml run URL/openapi.json \\
        -H 'Authorization: Bearer KEY' --include-path /v1/messages
"""

import os
import re
import subprocess
from pathlib import Path

from tests.harness.gateway import ROOT, Gateway

SCHEMATHESIS = ROOT / ".venv-clients" / "bin" / "st"
CHECKS = Path(__file__).with_name("schemathesis.toml")
GENERATED = re.compile(r"(\d+) generated")
COMPILING = {"PYTHONDONTWRITEBYTECODE": ""}  # the packages are installed uncompiled, and take seconds to import so


def asked(gateway: Gateway, key: str, *options: str) -> int:
    """How many cases it made, each of them answered as described. Raises AssertionError with its report otherwise."""
    command = [
        str(SCHEMATHESIS),
        "--config-file",
        str(CHECKS),
        "run",
        f"{gateway.url}/openapi.json",
        "--no-color",
        *options,
    ]
    command += ["-H", f"Authorization: Bearer {key}", "--request-timeout", "60", "--seed", "7"]
    command += ["--continue-on-failure", "--generation-database", "none"]
    # It leaves a folder of its own where it runs.
    ran = subprocess.run(command, cwd=gateway.folder, env=os.environ | COMPILING, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-1000:]
    made = GENERATED.search(ran.stdout)
    assert made, ran.stdout[-1000:]
    return int(made[1])
