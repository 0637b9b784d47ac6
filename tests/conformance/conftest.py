"""One gateway as an operator runs it, in front of a real vLLM and of a scripted backend, and the clients that ask it.

Each client is a program of its own, run once in the environment of its packages (clients/, node/); a test looks at what
one of its cases gave.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.scripts import Scripts, embedded
from tests.fakes.backend import FakeBackend
from tests.fakes.background import running
from tests.gateway.waiting import waited
from tests.harness.counting import MODEL_DIR
from tests.harness.gateway import ROOT, Gateway

NODE = Path(__file__).parent / "node"
OPENAI_3, APPS = ROOT / ".venv", ROOT / ".venv-clients"
CLIENT_S = 240.0  # for all cases of one client, its imports included, on a busy machine
WRONG = f"tg_{'0' * 16}_{'0' * 64}"  # the form of a key
COMPILING = {"PYTHONDONTWRITEBYTECODE": ""}  # the packages are installed uncompiled, and take seconds to import so

# Each client: what runs it, and its program.
CLIENTS = {
    "openai-2": (APPS, "with_openai"),
    "openai-3": (OPENAI_3, "with_openai"),
    "strict-2": (APPS, "strict_openai"),
    "strict-3": (OPENAI_3, "strict_openai"),
    "langchain": (APPS, "with_langchain"),
    "instructor": (APPS, "with_instructor"),
    "anthropic": (APPS, "with_anthropic"),
    "litellm": (APPS, "with_litellm"),
    "llama-index": (APPS, "with_llama_index"),
    "node-openai": (NODE, "with_openai.mjs"),
    "node-ai-sdk": (NODE, "with_ai_sdk.mjs"),
}
# Where npm could not install them (Makefile) there is nothing to run.
collect_ignore = [] if (NODE / "node_modules" / ".installed").exists() else ["test_node.py"]

SETTINGS = """
[backends.engine]
url = {engine}
[models.tiny]
backends = ["engine"]
tokenizer = {tokenizer}
max_output = 64
[models.vectors]
backends = ["fake"]
embeddings = true
"""

Said = Mapping[str, Any]
Client = Callable[[str], Said]


@dataclass(frozen=True, slots=True)
class Service:
    """The running gateway and what is behind it. Models: `small` is scripted, `hasty` as well and has no patience for
    it, `tiny` is the real engine's, `vectors` makes embeddings."""

    gateway: Gateway
    scripts: Scripts

    def run(self, who: str) -> Said:
        """What the cases of one client gave, by case."""
        access = {"url": self.gateway.url, "who": who, "keys": self._keys(who)}
        ran = subprocess.run(
            _command(*CLIENTS[who]),
            cwd=ROOT,
            env=os.environ | COMPILING | {"TOLLGATE_ACCESS": json.dumps(access)},
            capture_output=True,
            text=True,
            timeout=CLIENT_S,
        )
        last = ran.stdout.rstrip("\n").rpartition("\n")[2]  # of several: packages print as well
        return Outcomes(json.loads(last) if ran.returncode == 0 else {}, ran.stderr)

    def asked(self, script: str, who: str, case: str) -> int:
        """How often the scripted backend was asked in this case."""
        return self.scripts.asked[f"{script} {who} {case}"]

    def _keys(self, who: str) -> dict[str, str]:
        """One key for what should succeed, one for each way to be refused."""
        key = self.gateway.key
        narrow = {"tenant": f"{who}-plain", "scopes": {"models": ["tiny"]}}
        return {
            "plain": key(f"{who}-plain", "requests/minute=100000", "tokens/minute=10000000"),
            "narrow": self.gateway.admin("/keys", narrow)["key"],
            "hasty": key(f"{who}-hasty", "requests/minute=1"),
            "spent": key(f"{who}-spent", "requests/day=1"),
            "small": key(f"{who}-small", "tokens/day=20"),
            "wrong": WRONG,
        }


def _command(home: Path, program: str) -> list[str | Path]:
    if home == NODE:
        return ["node", NODE / program]
    python = home / "bin" / "python"
    assert python.exists(), f"{python} is not there: run `make clients`"
    return [python, "-m", f"tests.conformance.clients.{program}"]


class Outcomes(dict[str, Any]):
    """What each case gave. Asking for one that failed shows how, and for one that is not there what was said of it."""

    def __init__(self, outcomes: Mapping[str, Any], stderr: str) -> None:
        super().__init__(outcomes)
        self._stderr = stderr

    def __missing__(self, case: str) -> Any:
        raise AssertionError(f"no case {case}: {self._stderr}")

    def __getitem__(self, case: str) -> Any:
        outcome = super().__getitem__(case)
        assert "value" in outcome, outcome["failed"]
        return outcome["value"]


@pytest.fixture(scope="session")
def service(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("conformance")
    scripts = Scripts()
    with running(FakeBackend()) as fake:
        fake.usual = scripts
        fake.answers["/v1/embeddings"] = embedded
        gateway = Gateway(folder, fake.url, f"sqlite:///{folder}/state.db")
        with gateway.config.open("a") as settings:
            settings.write(SETTINGS.format(engine=json.dumps(engine), tokenizer=json.dumps(str(MODEL_DIR))))
        try:
            gateway.start()
            waited(lambda: all(f"model {alias}: " in gateway.log.read_text() for alias in ("tiny", "vectors")))
            yield Service(gateway, scripts)
        finally:
            gateway.close()


@pytest.fixture(scope="session")
def client(service: Service) -> Client:
    """Runs a client of CLIENTS, once."""
    return cache(service.run)
