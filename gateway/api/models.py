"""GET /v1/models and /v1/models/{id}: the aliases that a client may name, as OpenAI lists models.

`max_model_len`, in tokens, is vLLM's addition (vllm/entrypoints/openai/models/protocol.py, ModelCard).
"""

import time
from typing import Any

from fastapi import APIRouter, Depends, Request

from gateway.api.auth import caller
from gateway.errors import NotFound
from gateway.models import Model

router = APIRouter(prefix="/v1/models", dependencies=[Depends(caller)])

CREATED = int(time.time())  # OpenAI's field is required; an alias has no date of its own, so it is this process's start


@router.get("")
async def models(request: Request) -> dict[str, Any]:
    """Every alias, in the settings' order."""
    return {"object": "list", "data": [_card(model) for model in request.app.state.runtime.models.values()]}


@router.get("/{alias:path}")
async def model(request: Request, alias: str) -> dict[str, Any]:
    """One alias. Raises NotFound."""
    known = request.app.state.runtime.models
    if alias not in known:
        raise NotFound(f"There is no such model; known are {', '.join(known)}.", param="model", code="model_not_found")
    return _card(known[alias])


def _card(model: Model) -> dict[str, Any]:
    return {
        "id": model.alias,
        "object": "model",
        "created": CREATED,
        "owned_by": "tollgate",
        "max_model_len": model.window,
    }
