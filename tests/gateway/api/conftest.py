"""A real gateway on a loopback socket: uvicorn, SQLite in a file, and a scripted backend behind it."""

import itertools
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
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
from tests.fakes.backend import JSON, FakeBackend, Script
from tests.fakes.background import running
from tests.gateway.api.server import served
from tests.gateway.waiting import waited

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

    def post(self, path: str, body: bytes | dict[str, Any], key: str | None = None, **headers: str) -> httpx2.Response:
        """POST it, whatever the body, with a new key unless there is one."""
        headers |= {"authorization": f"Bearer {key or self.key()}"}
        content: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.http.post(path, headers=headers, **content)

    def chat(self, body: bytes | dict[str, Any], key: str | None = None, **headers: str) -> httpx2.Response:
        return self.post("/v1/chat/completions", body, key, **headers)

    def balance(self, key: str) -> tuple[int, int]:
        """Used and held of the first limit of the key's tenant."""
        usage = self.http.get("/v1/usage", headers={"authorization": f"Bearer {key}"}).json()
        return usage["balances"][0]["used"], usage["balances"][0]["held"]

    @contextmanager
    def counting(self, tokens: int) -> Iterator[None]:
        """Its backend takes every prompt for one so long."""
        usual = self.fake.answers["/tokenize"]
        counted = {"count": tokens, "max_model_len": 4096, "tokens": [], "token_strs": None}
        self.fake.answers["/tokenize"] = Script((json.dumps(counted).encode(),), headers=JSON)
        try:
            yield
        finally:
            self.fake.answers["/tokenize"] = usual

    def connect(self) -> socket.socket:
        """A bare connection: an HTTP library would not leave in the middle of an answer."""
        host, port = self.url.removeprefix("http://").split(":")
        return socket.create_connection((host, int(port)), timeout=30)


def raw_post(path: str, body: bytes, key: str, *headers: str) -> bytes:
    """The same as `Gateway.post` sends, for a bare connection; each header is a whole line."""
    lines = ("host: x", f"authorization: Bearer {key}", f"content-length: {len(body)}", *headers)
    return "\r\n".join((f"POST {path} HTTP/1.1", *lines, "", "")).encode() + body


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
async def gateway_with(own: Settings, fake: FakeBackend) -> AsyncIterator[Gateway]:
    """A gateway with these settings; `fake` is for its tests to script, where that is the backend."""
    app: ASGIApp = create_app(own)
    async with served(app) as url:
        with httpx2.Client(base_url=url, timeout=60) as http:
            yield Gateway(url, fake, app, http)


@asynccontextmanager
async def gateway_on(folder: Path, **server: Any) -> AsyncIterator[Gateway]:
    async with FakeBackend() as fake, gateway_with(settings(fake.url, folder, **server), fake) as gateway:
        yield gateway


@asynccontextmanager
async def gateway_before(engine: str, folder: Path) -> AsyncIterator[Gateway]:
    async with FakeBackend() as unused, gateway_with(settings(engine, folder), unused) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def admin_key() -> Iterator[str]:
    """The admin key of every gateway that starts from now on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOLLGATE_ADMIN_KEY", ADMIN_KEY)
        yield ADMIN_KEY


@pytest.fixture(scope="session")
def gateway(admin_key: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(gateway_on(tmp_path_factory.mktemp("gateway"))) as started:
        yield started


@pytest.fixture(scope="session")
def real(admin_key: str, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway before a real vLLM."""
    with running(gateway_before(engine, tmp_path_factory.mktemp("real"))) as started:
        waited(lambda: "small" in started.runtime.models)
        yield started
