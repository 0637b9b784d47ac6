import asyncio
from pathlib import Path

import pytest

from gateway.state import StateUnavailable, Tenant
from gateway.state.open import open_state


def opened(url: str) -> None:
    """Open, write, close."""

    async def run() -> None:
        state = await open_state(url)
        try:
            assert await state.keys.add_tenant(Tenant("acme", (), 1.0))
        finally:
            await state.close()

    asyncio.run(run())


def test_a_relative_path_starts_at_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    opened("sqlite:///new/folder/state.db")
    assert (tmp_path / "new/folder/state.db").is_file()


def test_an_absolute_path_has_four_slashes(tmp_path: Path) -> None:
    opened(f"sqlite:///{tmp_path}/state.db")
    assert (tmp_path / "state.db").is_file()


def test_memory_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    opened("sqlite://:memory:")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["", "postgres://x", "state.db", "sqlite://", "sqlite:///", "sqlite://state.db", "REDIS"]
)
def test_an_unknown_form_lists_the_known_ones(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite:///path, sqlite://:memory:, redis://host:port/db, rediss://"):
        opened(url)


@pytest.mark.parametrize("url", ["redis://h?durable=perhaps", "redis://h:port", "redis://h:1?socket_timeout=x"])
def test_a_wrong_redis_url_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match=r"durable=perhaps|[Pp]ort|socket_timeout"):
        opened(url)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateUnavailable, match=r"file/state\.db cannot be opened as state"):
        opened(f"sqlite:///{tmp_path}/file/state.db")


def test_a_folder_is_no_state_file(tmp_path: Path) -> None:
    with pytest.raises(StateUnavailable, match="cannot be opened as state"):
        opened(f"sqlite:///{tmp_path}")
