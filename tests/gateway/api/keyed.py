"""Chat requests under an `Idempotency-Key`."""

from typing import Any

import httpx2
import pytest

from tests.gateway.api.conftest import Gateway
from tests.gateway.waiting import waited

BODY: dict[str, Any] = {
    "model": "small",
    "messages": [{"role": "user", "content": "Hi"}],
    "gateway": {"cache": "skip"},  # so that only the key can spare the backend
}
STREAMED = [pytest.param(False, id="whole"), pytest.param(True, id="streamed")]


def ask(gateway: Gateway, key: str, name: str | list[str], /, **change: Any) -> httpx2.Response:
    """One chat request under an Idempotency-Key (several headers for a list)."""
    names = [name] if isinstance(name, str) else name
    headers = [("authorization", f"Bearer {key}"), *(("idempotency-key", one) for one in names)]
    return gateway.http.post("/v1/chat/completions", headers=headers, json=BODY | change)


def answered(gateway: Gateway, key: str, name: str, /, **change: Any) -> httpx2.Response:
    """The answer, once the first request under this key is over."""
    answers: list[httpx2.Response] = []

    def over() -> bool:
        answers.append(ask(gateway, key, name, **change))
        return answers[-1].status_code != 409

    waited(over)
    return answers[-1]
