"""GET /v1/models and /v1/models/{id}: the aliases that the caller's key may name, as OpenAI lists models.

`max_model_len`, in tokens, is vLLM's addition (vllm/entrypoints/openai/models/protocol.py, ModelCard).
"""

import time
from typing import Any

from fastapi import APIRouter, Request

from gateway.api.auth import Authenticated
from gateway.errors import NotFound
from gateway.exchange import Caller
from gateway.models import Model
from gateway.runtime import Runtime
from gateway.scopes import demand, permits

router = APIRouter(prefix="/v1/models")

CREATED = int(time.time())  # OpenAI's field is required; an alias has no date of its own, so it is this process's start


@router.get("")
async def models(request: Request, caller: Authenticated) -> dict[str, Any]:
    """The aliases in the settings' order."""
    return {"object": "list", "data": [_card(model) for model in _allowed(request, caller).values()]}


@router.get("/{alias:path}")
async def model(request: Request, caller: Authenticated, alias: str) -> dict[str, Any]:
    """One alias. Raises NotAllowed, NotFound."""
    demand(caller.scopes.models, alias, "model", "model")
    known = _allowed(request, caller)
    if alias not in known:
        raise NotFound(f"There is no such model; known are {', '.join(known)}.", param="model", code="model_not_found")
    return _card(known[alias])


def _allowed(request: Request, caller: Caller) -> dict[str, Model]:
    runtime: Runtime = request.app.state.runtime
    named = [alias for alias in runtime.settings.models if permits(caller.scopes.models, alias)]
    return {alias: runtime.models[alias] for alias in named if alias in runtime.models}  # the others have not connected


def _card(model: Model) -> dict[str, Any]:
    return {
        "id": model.alias,
        "object": "model",
        "created": CREATED,
        "owned_by": "tollgate",
        "max_model_len": model.window,
    }
