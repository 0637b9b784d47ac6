"""/admin/reload takes up settings and prompts anew, /admin/canaries tells how versions that are tried do."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from gateway.api.admin.common import body_of, runtime_of
from gateway.api.body import Strict
from gateway.api.messages import Name
from gateway.errors import NotFound, Wire
from gateway.live.reloading import Refused

router = APIRouter()


class Nothing(Strict):
    """A reload takes no choice: all or nothing."""


class Release(Strict):
    """A version that is held back and is to be tried again, as the settings name it."""

    prompt: Name
    version: Name


@router.post("/reload")
async def reload(request: Request) -> JSONResponse:
    """What has changed; or 409, every fault, and what was loaded before goes on. Other workers follow."""
    await body_of(request, Nothing)
    runtime = runtime_of(request)
    try:
        changes = await runtime.reloading.reload()
    except Refused as error:
        message = f"Not reloaded, and what was loaded before goes on:\n{error}"
        wire = Wire(409, message, "invalid_request_error", None, "reload_refused", False, None)
        return JSONResponse(wire.body() | {"faults": error.faults}, wire.status, wire.headers())
    runtime.announce()
    return JSONResponse({"object": "reload", "changed": bool(changes)} | changes.told())


@router.get("/canaries")
async def canaries(request: Request) -> dict[str, Any]:
    """The versions that are tried by weight, as this process has seen them."""
    return {"object": "list", "data": _rows(request)}


@router.post("/canaries/release")
async def release(request: Request) -> dict[str, Any]:
    """Try a version again that is held back, counting from nothing. Raises NotFound."""
    asked, runtime = await body_of(request, Release), runtime_of(request)
    for trial in runtime.canaries.trials():
        if (trial.prompt, trial.version) == (asked.prompt, asked.version):
            await runtime.trials.release(trial)
            return {"object": "list", "data": _rows(request)}
    raise NotFound("No such version is tried by weight; GET /admin/canaries has all.", param="version")


def _rows(request: Request) -> list[dict[str, Any]]:
    runtime = runtime_of(request)
    return [
        {
            "prompt": trial.prompt,
            "version": trial.version,
            "digest": trial.digest,
            "against": trial.base,
            "weight": dict(trial.weights)[trial.version],
        }
        | runtime.trials.told(trial)
        for trial in runtime.canaries.trials()
    ]
