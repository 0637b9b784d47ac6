"""index publish: from a folder to an engine, and what is searched there. The engine is the client's own, in memory."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient

from retrieval.engines import engine
from tests.fakes.background import running
from tests.fakes.raw import Raw, raw_server, sized
from tests.gateway.cli.conftest import Tollgate
from tests.gateway.engines import HANGS, Scripted, failing
from tests.retrieval.engines.put import LOCALLY

pytestmark = LOCALLY


class InMemory(QdrantClient):
    """One that commands do not close."""

    def close(self, grpc_grace: float | None = None, **kwargs: Any) -> None:
        """The next command has the same one."""


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> Iterator[QdrantClient]:
    client = InMemory(":memory:")
    monkeypatch.setattr(engine, "QdrantClient", lambda *_, **__: client)
    yield client
    QdrantClient.close(client)


@pytest.fixture
def published(config: Path) -> Path:
    """Settings that name an engine."""
    config.write_text(config.read_text() + 'engine = "http://127.0.0.1:1"\n')
    return config


def test_what_is_published_is_found_and_told(
    tollgate: Tollgate, published: Path, local: QdrantClient, tmp_path: Path
) -> None:
    (built,) = tollgate("index", "build", "--config", published, "--json").json
    assert tollgate("index", "stats", "--config", published, "--json").json == [built | {"published": None}]
    search = ("index", "search", "docs", "Why do boats not sink?", "--config", published, "--json")
    unpublished = tollgate(*search)
    assert (unpublished.code, "run `tollgate index publish`" in unpublished.err) == (1, True)
    done = tollgate("index", "publish", "docs", "--config", published, "--json")
    assert done.json == tollgate("index", "stats", "--config", published, "--json").json
    assert done.json == [built | {"published": built["version"]}]
    assert "index docs: publish 2/2" in done.err
    (tmp_path / "pages" / "ships.md").unlink()
    tollgate("index", "build", "--config", published)
    assert tollgate(*search).json[0]["document"] == "ships.md"  # as gateways do, until the next publish
    tollgate("index", "publish", "docs", "--config", published)
    assert [row["document"] for row in tollgate(*search).json] == ["cats.md"]


def test_what_cannot_be_published_is_told(tollgate: Tollgate, config: Path) -> None:
    publish = ("index", "publish", "docs", "--config", config)
    assert "names no engine" in tollgate(*publish).err
    config.write_text(config.read_text() + 'engine = "http://127.0.0.1:1"\n')
    assert "run `tollgate index build`" in tollgate(*publish).err
    tollgate("index", "build", "--config", config)
    away = tollgate(*publish)
    assert (away.code, "http://127.0.0.1:1: Qdrant does not answer (ConnectError)" in away.err) == (1, True)
    config.write_text(config.read_text() + 'engine_key_env = "TOLLGATE_TEST_ABSENT"\n')
    assert "TOLLGATE_TEST_ABSENT is not set" in tollgate(*publish).err


def test_shards_and_replicas_are_asked_for(tollgate: Tollgate, config: Path) -> None:
    scripted = Scripted()
    with running(raw_server(scripted)) as server:
        config.write_text(config.read_text() + f'engine = "{server.url}"\n')
        tollgate("index", "build", "--config", config)
        scripted.searching = Raw((sized(b'{"result": true}'),))
        tollgate("index", "publish", "docs", "--shards", "6", "--replicas", "2", "--config", config)
        (made,) = [json.loads(asked.body) for asked in server.asked if b"shard_number" in asked.body]
    assert (made["shard_number"], made["replication_factor"]) == (6, 2)


def test_an_engine_that_fails_midway_is_told(tollgate: Tollgate, config: Path) -> None:
    """It names its version, and takes none."""
    scripted = Scripted(searching=failing(b"507 Insufficient Storage"))
    with running(raw_server(scripted)) as server:
        config.write_text(config.read_text() + f'engine = "{server.url}"\n')
        tollgate("index", "build", "--config", config)
        full = tollgate("index", "publish", "docs", "--config", config)
        assert (full.code, "answered 507" in full.err) == (1, True)
        scripted.searching = HANGS
        found = tollgate("index", "search", "docs", "x", "--config", config)
        assert (found.code, "ReadTimeout" in found.err) == (1, True)
