"""A gateway that embeds: with its own model, and with two scripted backends that answer as vLLM does."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from gateway.settings import OWN_EMBEDDER, Settings
from tests.fakes.backend import JSON, MODEL, FakeBackend, Script, Seen
from tests.fakes.background import running
from tests.gateway.api.conftest import ROOT, Gateway, gateway_with
from tests.gateway.waiting import waited

PATH = "/v1/embeddings"


def script(texts: int, tokens: int = 5, **changes: Any) -> Script:
    """What vLLM 0.32 answers (EmbeddingResponse), in an order of its own: vectors of three numbers."""
    data = [{"index": i, "object": "embedding", "embedding": vector(i)} for i in reversed(range(texts))]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0, "prompt_tokens_details": None}
    frame = {"id": "embd-fake", "object": "list", "created": 1_790_000_000, "model": MODEL}
    return Script((json.dumps({**frame, "data": data, "usage": usage} | changes).encode(),), headers=JSON)


def vector(number: float) -> str:
    return base64.b64encode(np.array([number, 0.5, -0.25], "<f4").tobytes()).decode()


def settings(backends: dict[str, str], folder: Path) -> Settings:
    """Aliases: `small` writes, `pair` embeds on both backends; the own model and `pair` have prices."""
    return Settings.model_validate(
        {
            "state": {"url": f"sqlite:///{folder}/state.db"},
            "models": {
                "small": {"backends": ["first"]},
                "pair": {"backends": ["first", "second"], "embeddings": True},
            },
            "backends": {name: {"url": url} for name, url in backends.items()},
            "build": {"prompts": ROOT / "prompts"},
            "prices": {"pair": {"input": 2.0, "output": 9.0}, OWN_EMBEDDER: {"input": 1.0, "output": 0.0}},
        }
    )


class Pair:
    """One gateway before two backends, which answer `plan`s in turn, whichever is asked."""

    def __init__(self, gateway: Gateway, spare: FakeBackend) -> None:
        self.gateway, self.backends, self._plan = gateway, (gateway.fake, spare), list[Script]()
        for backend in self.backends:
            backend.answers[PATH] = self._answer

    def plan(self, *scripts: Script) -> None:
        self._plan[:] = scripts

    def seen(self) -> list[Seen]:
        return [seen for backend in self.backends for seen in backend.requests if seen.path == PATH]

    def post(self, body: bytes | dict[str, Any], key: str | None = None, **headers: str) -> httpx2.Response:
        return self.gateway.post(PATH, body, key, **headers)

    def key(self, **scopes: list[str]) -> str:
        made = self.gateway.admin("POST", "/keys", json={"tenant": self.gateway.tenant(), "scopes": scopes})
        return str(made.json()["key"])

    async def _answer(self, seen: Seen) -> Script:
        return self._plan.pop(0) if self._plan else script(len(seen.body["input"]))


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Pair]:
    async with (
        FakeBackend() as fake,
        FakeBackend() as spare,
        gateway_with(settings({"first": fake.url, "second": spare.url}, folder), fake) as gateway,
    ):
        yield Pair(gateway, spare)


@pytest.fixture(scope="session")
def pair(admin_key: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running(started(tmp_path_factory.mktemp("pair"))) as made:
        waited(lambda: len(made.gateway.runtime.models) == 2)
        yield made
