"""Vectors of other models: built by a command, searched by a running gateway, and told when they cannot be made."""

import asyncio
import base64
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.indexing import built
from gateway.encoders import Encoders, encoder
from gateway.errors import Unavailable
from gateway.exchange import Retrieval
from gateway.settings import Settings
from retrieval.embed import Embedder
from retrieval.endpoint import PATH
from retrieval.weights import EmbedderUnavailable
from tests.fakes.backend import JSON, FakeBackend, Script, Seen
from tests.fakes.background import running
from tests.gateway.assembled import Assembled, assembled
from tests.gateway.made import drawn
from tests.gateway.waiting import waited

D = 384
QUERY = "query: "


async def vectors(seen: Seen) -> Script:
    """Of the words, whatever stands before them."""
    texts = [text.removeprefix(QUERY) for text in seen.body["input"]]
    rows = enumerate(drawn(texts).astype("<f4"))
    data = [{"index": at, "embedding": base64.b64encode(row.tobytes()).decode()} for at, row in rows]
    return Script((json.dumps({"data": data}).encode(),), headers=JSON)


def sections(folder: Path) -> dict[str, Any]:
    for name, text in {"cats": "A cat sleeps all day.", "ships": "A ship swims on water."}.items():
        (folder / "pages").mkdir(exist_ok=True)
        (folder / "pages" / f"{name}.md").write_text(f"# {name}\n\n{text}\n")
    e5 = {"backends": ["second"], "embeddings": True, "served": "e5", "query_prompt": QUERY}
    far = {"path": folder / "far", "source": folder / "pages", "embedder": "e5", "dimensions": D, "floor": 0.0}
    return {"models": {"small": {"backends": ["first"]}, "e5": e5}, "retrieve": {"far": far}}


def test_a_collection_of_an_alias_is_built_and_searched_with_its_vectors(tmp_path: Path) -> None:
    with running(assembled(tmp_path, **sections(tmp_path))) as gateway:
        gateway.spare.answers[PATH] = vectors
        settings = gateway.runtime.settings
        manifest, _ = built("far", settings, settings.retrieve["far"])
        assert (manifest.embedder.startswith("e5@"), manifest.documents) == (True, 2)
        waited(lambda: "far" in gateway.runtime.collections)
        asked = ({"role": "user", "content": "A ship swims on water."},)
        outcome = gateway.ask(messages=asked, retrieve=Retrieval("far", 1))
        assert outcome.closed.gateway["retrieve"]["passages"] == 1
        assert [seen.body["input"] for seen in gateway.spare.requests if seen.path == PATH][-1] == [
            f"{QUERY}A ship swims on water."
        ]
        assert_unavailable_when_it_does_not_answer(gateway)


def assert_unavailable_when_it_does_not_answer(gateway: Assembled) -> None:
    gateway.spare.answers[PATH] = Script(status=500, headers=JSON)
    asked = ({"role": "user", "content": "And a cat?"},)
    outcome = gateway.ask(messages=asked, retrieve=Retrieval("far", 1))
    assert isinstance(outcome.error, Unavailable)
    gateway.assert_settled(outcome.call)


def settings(folder: Path, **collections: dict[str, Any]) -> Settings:
    given = {name: {"path": folder / name, **more} for name, more in collections.items()}
    e5 = {"backends": ["b"], "embeddings": True, "served": "e5", "tokenizer": folder}
    return Settings.model_validate(
        {"backends": {"b": {"url": "http://127.0.0.1:1"}}, "models": {"e5": e5}, "retrieve": given}
    )


def test_collections_of_one_model_share_its_encoder_and_the_usual_one_is_the_caches(tmp_path: Path) -> None:
    served = {"embedder": "e5", "dimensions": 8}
    with closing(Embedder()) as own:
        made = Encoders(settings(tmp_path, a={}, b=served, c=served, d=served | {"dimensions": 16}), own)
        assert made["a"] is own
        assert made["b"] is made["c"] is not made["d"]
        made.close()


def test_each_replica_is_shown_its_own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with FakeBackend() as one, FakeBackend() as two, FakeBackend() as open_to_all:
            replicas = {"one": one, "two": two, "three": open_to_all}
            for name in ("one", "two"):
                monkeypatch.setenv(f"KEY_{name.upper()}", f"key of {name}")
                replicas[name].answers[PATH] = Script(status=500, headers=JSON)
            open_to_all.answers[PATH] = vectors
            backends: dict[str, Any] = {name: {"url": fake.url} for name, fake in replicas.items()}
            backends["one"]["api_key_env"], backends["two"]["api_key_env"] = "KEY_ONE", "KEY_TWO"
            e5 = {"backends": list(replicas), "embeddings": True, "served": "e5"}
            far = {"path": tmp_path, "embedder": "e5", "dimensions": D}
            wanting = Settings.model_validate({"backends": backends, "models": {"e5": e5}, "retrieve": {"far": far}})
            with encoder(wanting, wanting.retrieve["far"]) as made:
                await asyncio.to_thread(made.encode, ["a"])
            keys = [fake.requests[-1].headers.get("authorization") for fake in replicas.values()]
            assert keys == ["Bearer key of one", "Bearer key of two", None]

    asyncio.run(run())


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    wanting = settings(tmp_path, a={"weights": tmp_path / "none"})
    with closing(Embedder()) as own, pytest.raises(EmbedderUnavailable, match="no folder"):
        Encoders(wanting, own)
    with pytest.raises(EmbedderUnavailable, match="no folder"), encoder(wanting, wanting.retrieve["a"]):
        pass
