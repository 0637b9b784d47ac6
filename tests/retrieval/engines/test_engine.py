"""Engines over HTTP that are away, slow, full or no engine at all: one error, whatever the client makes of it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from retrieval.engines import connected
from retrieval.engines.engine import Engine
from retrieval.engines.qdrant import Qdrant
from retrieval.protocols import IndexUnavailable
from retrieval.query import Scope
from tests.fakes.background import running
from tests.fakes.raw import After, Asked, Raw, RawServer, raw_server, sized
from tests.retrieval.collection.made import EMBEDDER, loaded, vector
from tests.retrieval.engines.put import LOCALLY

pytestmark = LOCALLY

SECRET = "a question's words"


def status(code: bytes, *headers: bytes) -> Raw:
    body = json.dumps({"status": {"error": SECRET}, "result": None, "time": 0}).encode()
    return Raw((sized(body, *headers).replace(b"200 OK", code),))


FAULTS = [
    (Raw((), After.CLOSE), "does not answer"),
    (Raw((), After.RESET), "does not answer"),
    (Raw((b"nonsense\r\n\r\n",), After.CLOSE), "does not answer"),
    (Raw((sized(b'{"result": {')[:-4],), After.CLOSE), "does not answer"),
    (status(b"500 Internal Server Error"), "answered 500"),
    (status(b"503 Service Unavailable"), "answered 503"),
    (status(b"429 Too Many Requests", b"retry-after: 1"), "too much to do"),
    (status(b"429 Too Many Requests", b"retry-after: soon"), "too much to do"),
    (status(b"401 Unauthorized"), "its key is missing or wrong"),
    (status(b"404 Not Found"), "no such version"),
    *[
        (Raw((sized(body),)), "something unexpected")
        for body in (b"", b"<html>", b"null", b"[]", b"{}", b'{"result": null}', b'{"result": {"points": [{}]}}')
    ],
]


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with running(raw_server()) as server:
        yield server


@pytest.fixture
def engine(server: RawServer) -> Iterator[Engine]:
    engine = connected(server.url, "key", timeout_s=1)
    yield engine
    engine.close()


def everything(engine: Engine, client: QdrantClient) -> Iterator[str]:
    """What each thing that can be asked ends with."""
    index = Qdrant(client, "docs", {"version": "1", "passages": 3, "language": "en"})
    asked = (
        lambda: engine.version("docs"),
        lambda: engine.load("docs", EMBEDDER),
        lambda: index.dense(vector("x"), 3, Scope()),
        lambda: index.lexical("words", 3, Scope()),
        lambda: index.passages([1]),
        lambda: index.vectors([1]),
        lambda: index.around(1),
    )
    for ask in asked:
        with pytest.raises(IndexUnavailable) as caught:
            ask()
        yield str(caught.value)


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
@pytest.mark.parametrize(("answer", "said"), FAULTS, ids=repr)
def test_every_failure_is_told_as_one_error(server: RawServer, answer: Raw, said: str) -> None:
    client = QdrantClient(server.url, api_key="key", timeout=5, check_compatibility=False)
    server.answer = lambda asked: answer
    told = list(everything(Engine(client), client))
    assert all(said in line and SECRET not in line for line in told), told
    client.close()


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_an_engine_that_is_late_is_not_waited_for(server: RawServer, engine: Engine) -> None:
    late = sized(b'{"result": {"aliases": []}, "status": "ok", "time": 0}')
    server.answer = lambda asked: Raw((late,), pause=3.0)
    with pytest.raises(IndexUnavailable, match="ReadTimeout"):
        engine.version("docs")


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_the_key_is_sent_and_an_engine_that_comes_back_is_asked_again(server: RawServer, engine: Engine) -> None:
    seen: list[Asked] = []

    def answer(asked: Asked) -> Raw:
        seen.append(asked)
        aliases = [{"alias_name": "docs", "collection_name": "docs@v1"}]
        body = json.dumps({"result": {"aliases": aliases}, "status": "ok", "time": 0}).encode()
        return Raw((), After.CLOSE) if len(seen) == 1 else Raw((sized(body),))

    server.answer = answer
    with pytest.raises(IndexUnavailable):
        engine.version("docs")
    assert (engine.version("docs"), engine.version("other")) == ("v1", None)
    assert all(b"api-key: key" in one.head for one in seen)


def test_what_is_published_is_loaded(changing: Path, client: QdrantClient) -> None:
    engine = Engine(client)
    assert engine.version("named") is None
    local = loaded(changing)
    name = changing.name + "-named"
    engine.publish(local, name, lambda done, total: None)
    assert engine.version(name) == local.version
    assert (engine.load(name, EMBEDDER).name, len(engine.load(name, EMBEDDER))) == (name, len(local))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[", "http://127.0.0.1:99999", "http://a b"])
def test_where_nothing_listens(url: str) -> None:
    with pytest.raises(IndexUnavailable):
        connected(url, timeout_s=1).version("docs")


def test_a_missing_client_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "retrieval.engines.engine")
    monkeypatch.setitem(sys.modules, "qdrant_client", None)
    with pytest.raises(IndexUnavailable, match=r"pip install 'tollgate\[qdrant\]'"):
        connected("http://127.0.0.1:1")
