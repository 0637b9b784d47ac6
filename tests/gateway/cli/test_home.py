"""The folder of `tollgate up`: kept from start to start, and private where it must be."""

import asyncio
import stat
from pathlib import Path

import pytest

from gateway.cli.home import ADMIN_KEY, Credentials, Home, Upstream
from gateway.settings import SettingsError
from gateway.state.open import open_state

UPSTREAM = Upstream("http://127.0.0.1:8000", 'a "quoted" name')


def credentials(home: Home, database: str = "state.db") -> Credentials:
    async def asked() -> Credentials:
        state = await open_state(f"sqlite:///{home.folder}/{database}")
        try:
            return await home.credentials(state)
        finally:
            await state.close()

    return asyncio.run(asked())


def test_the_settings_name_the_upstream_and_keep_what_was_added(tmp_path: Path) -> None:
    home = Home(tmp_path)
    settings = home.configure(UPSTREAM, 8080)
    assert settings.models["small"].served == 'a "quoted" name'
    with home.settings_file.open("a") as file:
        file.write("[cache]\nsample = 0.5\n")
    again = home.configure(Upstream("http://127.0.0.1:9000", "other", window=2048), 8081)
    assert (again.backends["small"].url, again.models["small"].window) == ("http://127.0.0.1:9000", 2048)
    assert (again.server.port, again.cache.sample) == (8081, 0.5)
    assert again.state.url == f"sqlite:///{tmp_path}/state.db"


def test_prompts_of_ones_own_are_watched(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.configure(UPSTREAM, 8080).build.watch is False
    own = home.configure(UPSTREAM, 8080, tmp_path / "prompts").build
    assert (own.prompts, own.watch) == (tmp_path / "prompts", True)


def test_a_fault_in_what_was_added_is_told_with_its_line(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.configure(UPSTREAM, 8080)
    with home.settings_file.open("a") as file:
        file.write("[cache]\nwarmth = 1\n")
    lines = home.settings_file.read_text().count("\n")
    with pytest.raises(SettingsError, match=f"gateway.toml:{lines}: cache.warmth: unknown key"):
        home.configure(UPSTREAM, 8080)


def test_the_keys_are_the_same_at_the_next_start_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADMIN_KEY, raising=False)
    home = Home(tmp_path)
    first = credentials(home)
    assert first == credentials(home)
    assert first.admin_key.startswith("admin_")
    assert stat.S_IMODE(home.keys_file.stat().st_mode) == 0o600


def test_a_key_that_no_longer_opens_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADMIN_KEY, "from the environment")
    home = Home(tmp_path)
    first = credentials(home)
    elsewhere = credentials(home, "another.db")
    assert first.key != elsewhere.key
    assert first.admin_key == elsewhere.admin_key == "from the environment"
