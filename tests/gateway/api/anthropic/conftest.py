"""Asks the gateway of the API's tests as Anthropic's own client does."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.gateway.api.conftest import Gateway

Ask = Callable[..., httpx2.Response]
BODY = {"model": "small", "max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def ask(gateway: Gateway) -> Ask:
    """POST a message, with fields beside BODY's; None leaves one out."""

    def asked(key: str | None = None, path: str = "/v1/messages", **more: Any) -> httpx2.Response:
        headers = {"x-api-key": key or gateway.key(), "anthropic-version": "2023-06-01"}
        body = {name: value for name, value in (BODY | more).items() if value is not None}
        return gateway.http.post(path, headers=headers, json=body)

    return asked
