"""Where the settings say that templates are."""

from pathlib import Path

import pytest

from gateway import templates
from gateway.settings import SettingsError, load
from prompts.remote import Remote
from prompts.source import Folder
from tests.prompts.folders import Folder as Repository
from tests.prompts.folders import text, words


def settings_file(place: Path, build: str) -> Path:
    file = place / "gateway.toml"
    file.write_text(f'[state]\nurl = "sqlite:///state/s.db"\nledger = "sqlite:///state/l.db"\n[build]\n{build}\n')
    return file


def test_a_repository_beside_the_settings_is_mirrored_into_the_state_folder(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "prompts-repository")
    repository.write("a", text("one"))
    repository.commit()
    settings = load(settings_file(tmp_path, 'repository = "prompts-repository"\nfolder = "app/prompts"'))
    assert words(templates.library(settings), "a") == "one"
    [mirror] = (tmp_path / "state").glob("prompts-*.git")
    assert (mirror / "HEAD").exists()


def test_an_address_stays_as_it_is(tmp_path: Path) -> None:
    for address in ("https://git.example.com/prompts.git", "git@git.example.com:team/prompts.git", "ssh://git@h/x"):
        source = templates.source(load(settings_file(tmp_path, f'repository = "{address}"\nbranch = "live"')))
        assert isinstance(source, Remote)
        assert (source.url, source.branch) == (address, "live")


def test_the_key_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(settings_file(tmp_path, 'repository = "https://h/x"\nkey_env = "PROMPTS_KEY"'))
    monkeypatch.delenv("PROMPTS_KEY", raising=False)
    with pytest.raises(SettingsError, match="the environment variable PROMPTS_KEY is not set"):
        templates.source(settings)
    monkeypatch.setenv("PROMPTS_KEY", "secret")
    source = templates.source(settings)
    assert isinstance(source, Remote)
    assert source.key == "secret"


def test_a_password_in_an_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds a password") as caught:
        load(settings_file(tmp_path, 'repository = "https://user:hidden@h/x"'))
    assert "hidden" not in str(caught.value)


def test_without_a_repository_it_is_the_folder(tmp_path: Path) -> None:
    assert isinstance(templates.source(load(settings_file(tmp_path, 'prompts = "p"'))), Folder)
