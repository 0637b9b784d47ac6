"""A real gateway on a loopback socket: uvicorn, SQLite in a file, and a scripted backend behind it."""

import itertools
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI
from starlette.types import ASGIApp

from gateway.app import create_app
from gateway.runtime import Runtime
from gateway.settings import Settings
from tests.fakes.backend import FakeBackend
from tests.fakes.background import running
from tests.gateway.api.server import served

ADMIN_KEY = "admin-key-of-the-tests"
ROOT = Path(__file__).parents[3]


@dataclass
class Gateway:
    """One running gateway. `fake` is its backend."""

    url: str
    fake: FakeBackend
    app: Any
    http: httpx2.Client  # one for all: making one costs tens of milliseconds
    _names: Iterator[int] = field(default_factory=itertools.count)

    @property
    def runtime(self) -> Runtime:
        runtime: Runtime = self.app.state.runtime
        return runtime

    def admin(self, method: str, path: str, **options: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {ADMIN_KEY}"}
        return self.http.request(method, f"/admin{path}", headers=headers, **options)

    def tenant(self, *limits: str) -> str:
        """A new tenant's name."""
        name = f"tenant-{next(self._names)}"
        assert self.admin("POST", "/tenants", json={"name": name, "limits": limits}).status_code == 201
        return name

    def key(self, *limits: str) -> str:
        """A key of a new tenant with these limits."""
        made = self.admin("POST", "/keys", json={"tenant": self.tenant(*limits)})
        assert made.status_code == 201
        key: str = made.json()["key"]
        return key

    def openai(self, *limits: str) -> OpenAI:
        """OpenAI's own client with a new key; it does not retry, so that a test sees the first answer."""
        key = self.key(*limits)
        return OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, http_client=self.http)

    def chat(self, body: bytes | dict[str, Any], key: str | None = None, **headers: str) -> httpx2.Response:
        """POST a chat completion, whatever the body."""
        headers |= {"authorization": f"Bearer {key or self.key()}"}
        content: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.http.post("/v1/chat/completions", headers=headers, **content)

    def connect(self) -> socket.socket:
        """A bare connection: an HTTP library would not leave in the middle of an answer."""
        host, port = self.url.removeprefix("http://").split(":")
        return socket.create_connection((host, int(port)), timeout=30)


def settings(backend_url: str, folder: Path, **server: Any) -> Settings:
    """A gateway of three aliases on one backend: `small` has a price, `hasty` no patience."""
    model = {"backends": ["fake"], "max_output": 64}
    return Settings.model_validate(
        {
            "server": server,
            "state": {"url": f"sqlite:///{folder}/state.db"},
            "models": {"small": model, "unpriced": model, "hasty": model | {"backends": ["hasty"]}},
            "backends": {
                "fake": {"url": backend_url},
                "hasty": {"url": backend_url, "first_token_s": 0.5, "between_tokens_s": 0.5},
            },
            "build": {"prompts": ROOT / "prompts"},
            "prices": {"small": {"input": 1.0, "output": 2.0}},
        }
    )


@asynccontextmanager
async def gateway_on(folder: Path, **server: Any) -> AsyncIterator[Gateway]:
    async with FakeBackend() as fake:
        app: ASGIApp = create_app(settings(fake.url, folder, **server))
        async with served(app) as url:
            with httpx2.Client(base_url=url, timeout=30) as http:
                yield Gateway(url, fake, app, http)


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOLLGATE_ADMIN_KEY", ADMIN_KEY)
        with running(gateway_on(tmp_path_factory.mktemp("gateway"))) as started:
            yield started
