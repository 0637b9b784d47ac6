"""GET /v1/models and /v1/models/{id}: the models that the caller's key may name, as OpenAI lists them: the aliases, and
the gateway's own embedder.

`max_model_len`, in tokens, is vLLM's addition (vllm/entrypoints/openai/models/protocol.py, ModelCard).
"""

import time
from typing import Any

from fastapi import APIRouter, Request

from gateway.api.auth import Authenticated
from gateway.errors import NotFound
from gateway.exchange import Caller
from gateway.runtime import Runtime
from gateway.scopes import demand, permits

router = APIRouter(prefix="/v1/models")

CREATED = int(time.time())  # OpenAI's field is required; an alias has no date of its own, so it is this process's start


@router.get("")
async def models(request: Request, caller: Authenticated) -> dict[str, Any]:
    """The aliases in the settings' order, then the embedder."""
    return {"object": "list", "data": [_card(*model) for model in _allowed(request, caller).items()]}


@router.get("/{alias:path}")
async def model(request: Request, caller: Authenticated, alias: str) -> dict[str, Any]:
    """One of them. Raises NotAllowed, NotFound."""
    demand(caller.scopes.models, alias, "model", "model")
    known = _allowed(request, caller)
    if alias not in known:
        raise NotFound(f"There is no such model; known are {', '.join(known)}.", param="model", code="model_not_found")
    return _card(alias, known[alias])


def _allowed(request: Request, caller: Caller) -> dict[str, int]:
    """Windows by name, of aliases that have connected."""
    runtime: Runtime = request.app.state.runtime
    windows = {alias: runtime.models[alias].window for alias in runtime.settings.models if alias in runtime.models}
    if runtime.embedding.own.name not in runtime.settings.models:
        windows[runtime.embedding.own.name] = runtime.embedding.own.window
    return {name: window for name, window in windows.items() if permits(caller.scopes.models, name)}


def _card(name: str, window: int) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": CREATED,
        "owned_by": "tollgate",
        "max_model_len": window,
    }
