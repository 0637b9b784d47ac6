import asyncio
from pathlib import Path

import pytest
import redis

from gateway.state import StateUnavailable, Tenant
from gateway.state.open import open_state
from tests.fakes.redis import RedisServer, replicated


def opened(url: str, ledger: str = "sqlite://:memory:") -> None:
    """Open, write, close."""

    async def run() -> None:
        state = await open_state(url, ledger)
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


def test_redis_has_a_file_beside_it(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    redis.Redis.from_url(redis_url).flushall()
    opened(f"{redis_url}?timeout_ms=2000", f"sqlite:///{tmp_path}/machine/ledger.db")
    assert (tmp_path / "machine/ledger.db").is_file()
    redis.Redis.from_url(redis_url).flushall()
    monkeypatch.chdir(tmp_path)

    async def by_default() -> None:
        await (await open_state(f"{redis_url}?timeout_ms=2000")).close()

    asyncio.run(by_default())
    assert (tmp_path / ".tollgate/ledger.db").is_file()


def test_a_machine_keeps_its_tenants_when_redis_is_emptied(redis_url: str, tmp_path: Path) -> None:
    async def run() -> None:
        state = await open_state(f"{redis_url}?timeout_ms=2000", f"sqlite:///{tmp_path}/ledger.db")
        try:
            assert [tenant.name for tenant in await state.keys.tenants()] == ["acme"]
        finally:
            await state.close()

    redis.Redis.from_url(redis_url).flushall()
    opened(f"{redis_url}?timeout_ms=2000", f"sqlite:///{tmp_path}/ledger.db")
    redis.Redis.from_url(redis_url).flushall()
    asyncio.run(run())


def test_a_server_that_would_forget_is_refused_unless_vouched_for(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", {"appendonly": "no"}) as server:
        with pytest.raises(StateUnavailable, match="Set `appendonly yes`"):
            opened(f"{server.url}?timeout_ms=2000")
        opened(f"{server.url}?timeout_ms=2000&durable=no")


@pytest.mark.parametrize("vouched", ["", "&durable=no"])
def test_a_replica_is_refused_whoever_vouches(tmp_path: Path, vouched: str) -> None:
    with RedisServer(tmp_path / "master") as master, replicated(tmp_path / "replica", master) as replica:
        where = f"{replica.url}?timeout_ms=2000{vouched}"
        with pytest.raises(StateUnavailable, match="is a replica"):
            opened(where)


def test_a_server_that_hangs_or_is_not_there_is_told_without_its_address(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server:
        server.pause()
        with pytest.raises(StateUnavailable, match=r"Redis cannot answer \(TimeoutError\)") as hangs:
            opened(server.url)
        server.kill()
        with pytest.raises(StateUnavailable, match=r"Redis cannot answer \(ConnectionError\)") as absent:
            opened(server.url)
    assert "127.0.0.1" not in f"{hangs.value}{absent.value}"


@pytest.mark.parametrize("ledger", ["sqlite://", "redis://h", "file.db"])
def test_a_ledger_that_is_no_file_is_a_value_error(ledger: str) -> None:
    with pytest.raises(ValueError, match="write one of sqlite:///path"):
        opened("redis://127.0.0.1:1", ledger)


@pytest.mark.parametrize(
    "url", ["", "postgres://x", "state.db", "sqlite://", "sqlite:///", "sqlite://state.db", "REDIS"]
)
def test_an_unknown_form_lists_the_known_ones(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite:///path, sqlite://:memory:, redis://host:port/db, rediss://"):
        opened(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://h?durable=perhaps", "durable=perhaps is neither yes nor no"),
        ("redis://h?timeout_ms=0", "timeout_ms=0 is no whole number from 1 to"),
        ("redis://h?timeout_ms=1.5", "timeout_ms=1.5 is no"),
        ("redis+sentinel://h?timeout_ms=99999/x", "timeout_ms=99999/x is no"),
        ("redis://h:port", "[Pp]ort"),
        ("redis://h:1?socket_timeout=x", "socket_timeout"),
        ("redis+sentinel://h:1", "lacks the master's name"),
        ("redis+cluster://h:1/3", "no numbered databases"),
    ],
)
def test_a_wrong_redis_url_is_a_value_error(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        opened(url)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateUnavailable, match=r"file/state\.db cannot be opened as state"):
        opened(f"sqlite:///{tmp_path}/file/state.db")


def test_a_folder_is_no_state_file(tmp_path: Path) -> None:
    with pytest.raises(StateUnavailable, match="cannot be opened as state"):
        opened(f"sqlite:///{tmp_path}")
