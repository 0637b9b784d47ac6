"""A Qdrant of which only the start is scripted: it names and describes versions, holds no passage, and fails on demand.

What it says has the shapes of the client's own implementation. Searches are tested on that (tests/retrieval/engines).
"""

import json
from dataclasses import dataclass
from typing import Any

from qdrant_client import QdrantClient

from retrieval.weights import MINILM
from tests.fakes.raw import After, Asked, Raw, sized

AWAY = Raw((), After.CLOSE)
HANGS = Raw((), After.HANG)


def failing(status: bytes) -> Raw:
    return Raw((sized(b'{"status": {"error": "it is broken"}}').replace(b"200 OK", status),))


@dataclass
class Scripted:
    """Answers for a server of tests/fakes/raw.py. `version` is what `name` stands for; `fault` is given to everything
    asked, `searching` to searches only."""

    version: str | None = "v1"
    name: str = "docs"
    embedder: str = MINILM.identity
    fault: Raw | None = None
    searching: Raw = AWAY

    def __call__(self, asked: Asked) -> Raw:
        path = asked.head.split()[1].decode()
        if self.fault:
            return self.fault
        if path == "/aliases":
            held = [{"alias_name": self.name, "collection_name": f"{self.name}@{self.version}"}]
            return _result({"aliases": held if self.version else []})
        if path == f"/collections/{self.name}%40{self.version}":
            facts = {"version": self.version, "passages": 3, "language": "en", "embedder": self.embedder}
            return _result(_described(facts))
        return self.searching


def _result(result: Any) -> Raw:
    return Raw((sized(json.dumps({"result": result, "status": "ok", "time": 0.0}).encode()),))


def _described(facts: dict[str, Any]) -> Any:
    client = QdrantClient(":memory:")
    client.create_collection("any", {}, metadata=facts)
    described = client.get_collection("any").model_dump(mode="json")
    client.close()
    return described
