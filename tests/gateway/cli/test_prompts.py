"""prompts: the shipped templates, as the command line shows them."""

from pathlib import Path

import pytest

from tests.gateway.cli.conftest import ROOT, Tollgate
from tests.prompts.folders import Folder, text


def test_the_shipped_templates_are_listed(tollgate: Tollgate, config: Path) -> None:
    listed = {row["prompt"] for row in tollgate("prompts", "list", "--config", config, "--json").json}
    assert {"answer", "classify-ticket", "review-diff"} <= listed


def test_show_prints_the_file_and_its_versions(tollgate: Tollgate, config: Path) -> None:
    shown = tollgate("prompts", "show", "answer", "--config", config, "--json").json
    assert shown["source"] == (ROOT / "prompts/templates/answer.md.j2").read_text()
    assert shown["digest"].startswith(shown["version"])


def test_render_prints_the_messages(tollgate: Tollgate, config: Path) -> None:
    ran = tollgate("prompts", "render", "answer", "--vars", '{"question": "Why?"}', "--config", config, "--json")
    assert [message["role"] for message in ran.json] == ["system", "user"]
    assert "Question: Why?" in ran.json[1]["content"]


def test_variables_can_come_from_a_file(tollgate: Tollgate, config: Path, tmp_path: Path) -> None:
    (tmp_path / "vars.json").write_text('{"question": "From a file?"}')
    ran = tollgate("prompts", "render", "answer", "--vars", f"@{tmp_path}/vars.json", "--config", config)
    assert "From a file?" in ran.out


@pytest.mark.parametrize(
    ("variables", "code", "said"),
    [("{}", 1, "question"), ("[]", 2, "JSON object"), ("{", 2, "not JSON"), ("@absent", 2, "not JSON")],
)
def test_bad_variables_are_told(tollgate: Tollgate, config: Path, variables: str, code: int, said: str) -> None:
    ran = tollgate("prompts", "render", "answer", "--vars", variables, "--config", config)
    assert ran.code == code
    assert said in ran.err


@pytest.mark.parametrize("wanted", [("absent",), ("../answer",), ("answer", "--version", "v999")])
def test_an_unknown_id_or_version_is_a_failure(tollgate: Tollgate, config: Path, wanted: tuple[str, ...]) -> None:
    ran = tollgate("prompts", "show", *wanted, "--config", config)
    assert ran.code == 1
    assert "there is no prompt" in ran.err


def test_prompts_of_a_repository(tollgate: Tollgate, tmp_path: Path) -> None:
    repository = Folder(tmp_path / "repository")
    repository.write("hello", text("old"))
    repository.tag("v1", repository.commit())
    repository.write("hello", text("new"))
    repository.commit()
    config = tmp_path / "gateway.toml"
    config.write_text('[build]\nrepository = "repository"\nfolder = "app/prompts"\n')
    shown = tollgate("prompts", "show", "hello", "--config", config, "--json").json
    assert len(shown["versions"]) == 2
    for version, said in (("v1", "old"), (shown["versions"][1]["commit"], "old"), ("latest", "new")):
        ran = tollgate("prompts", "render", "hello", "--version", version, "--config", config, "--json")
        assert ran.json == [{"role": "user", "content": said}]


def test_a_remote_out_of_reach_is_told(tollgate: Tollgate, tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('[build]\nrepository = "https://127.0.0.1:1/x"\n')
    ran = tollgate("prompts", "list", "--config", config)
    assert ran.code == 1
    assert "https://127.0.0.1:1/x: cannot be fetched" in ran.err
