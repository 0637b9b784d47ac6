"""The command line as its users meet it: arguments in; exit code, output and errors out."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.__main__ import main

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Ran:
    """One finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


Tollgate = Callable[..., Ran]


@pytest.fixture
def tollgate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tollgate:
    """Runs one command in this process."""
    monkeypatch.setenv("TERMINAL_WIDTH", "300")  # Typer's: messages are then not broken into lines

    def run(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(int(left.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings on a state of their own: one priced model, the shipped prompts, a collection that is not built yet."""
    file = tmp_path / "gateway.toml"
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "cats.md").write_text("# Cats\n\nA cat purrs when it is content.\n")
    (tmp_path / "pages" / "ships.md").write_text("# Ships\n\nA ship floats because it displaces water.\n")
    file.write_text(
        f"""
        [state]
        url = "sqlite:///state.db"
        [build]
        prompts = "{ROOT}/prompts"
        [backends.local]
        url = "http://127.0.0.1:1"
        [models.small]
        backends = ["local"]
        tokenizer = "{ROOT}/serving/tiny/model"
        [prices.small]
        input = 2.0
        output = 4.0
        [retrieve.docs]
        path = "docs"
        source = "pages"
        """
    )
    return file
